package packs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// installPython makes a virtual environment with what requirements.txt names. Isolated mode keeps the pack's own files,
// which are in the working directory, from being taken for modules of the installer.
func (i *installer) installPython(ctx context.Context, p *plan, folder string) error {
	venv := filepath.Join(folder, "venv")
	python := p.interpreter.file
	if err := i.run(ctx, p, folder, python, "-I", "-m", "venv", venv); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("%s can't make a virtual environment, which needs Python's venv and ensurepip (on Debian: apt-get install python3-venv): %w", python, err)
	}
	return i.run(ctx, p, folder, filepath.Join(venv, "bin", "python"), "-I", "-m", "pip", "install",
		"--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off", "-r", requirementsFile)
}

// installNode makes a node_modules with what package.json names, exactly what the lock file says if there is one.
func (i *installer) installNode(ctx context.Context, p *plan, folder string) error {
	npm, err := i.findNpm(p.interpreter.file)
	if err != nil {
		return err
	}
	command := "install"
	if p.locked {
		command = "ci"
	}
	err = i.run(ctx, p, folder, npm, command, "--omit=dev", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier",
		"--loglevel=error", "--logs-max=0")
	if err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(folder, "src", "node_modules"), 0o755) // npm makes none for optional packages that don't fit
}

// findNpm prefers the npm that came with the interpreter.
func (i *installer) findNpm(node string) (string, error) {
	candidates := []string{filepath.Join(filepath.Dir(node), "npm"), "npm"}
	if i.npm != "" {
		candidates = []string{i.npm}
	}
	for _, candidate := range candidates {
		if npm, ok := lookPath(candidate, i.path); ok {
			return npm, nil
		}
	}
	return "", fmt.Errorf("%s is not there, neither beside %s nor on runtime.path (%s): install it on the worker's machine (on Debian: apt-get install npm)",
		candidates[len(candidates)-1], node, i.path)
}

// run runs one step in the folder's src, with a home of its own. Its error ends with the last lines of the output.
func (i *installer) run(ctx context.Context, p *plan, folder, program string, args ...string) error {
	home := filepath.Join(folder, "home")
	defer os.RemoveAll(home)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(home, "output"))
	if err != nil {
		return err
	}
	defer output.Close()
	err = i.launch.Launch(ctx, Command{
		Program: program, Args: args, Dir: filepath.Join(folder, "src"), Env: i.environment(p, home), Output: output,
		Writable: folder, Visible: visible(p, program),
	})
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("took longer than %s (runtime.install_timeout)", i.timeout)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	log, readErr := readEnd(output)
	if readErr != nil || log == "" {
		return errors.Join(err, readErr)
	}
	return fmt.Errorf("%w: %s", err, lastLines(strings.ReplaceAll(log, filepath.Join(folder, "src")+"/", "")))
}

// visible returns the folders of the interpreter and of the installer, which may be a link from PATH into its own.
func visible(p *plan, program string) []string {
	folders := slices.Clone(p.interpreter.folders)
	if real, err := filepath.EvalSymlinks(program); err == nil {
		if folder := filepath.Dir(filepath.Dir(real)); folder != "/" && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// environment is all that an installer has in its environment, as docs/packs.md lists it.
func (i *installer) environment(p *plan, home string) []string {
	// npm starts the node that it finds on PATH.
	own := []string{"PATH=" + filepath.Dir(p.interpreter.file) + string(os.PathListSeparator) + i.path, "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8"}
	env := slices.Clone(i.env)
	for _, variable := range own {
		name := nameOf(variable)
		env = slices.DeleteFunc(env, func(given string) bool { return nameOf(given) == name })
	}
	return append(env, own...)
}
