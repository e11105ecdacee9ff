package cli

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/skeleton"
)

func newSensorNew(s *session) *cobra.Command {
	var cfg skeleton.Config
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a sensor that works, to be changed",
		Long: `Write a sensor that works, to be changed: its definition, a trigger, its code and a test, each explained by comments.
NAME is door or house.door. The folder is a pack, or becomes one, which is then called like the folder or as NAME says.
Nothing is overwritten. This needs no server and no settings.`,
		Example: `  starter sensor new door --runtime python3
  starter sensor new house.door --runtime exec --dir packs/house`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg.Name = args[0]
			return s.newSensor(cfg)
		},
	}
	c.Flags().StringVar(&cfg.Runtime, "runtime", "", "what runs its code: `RUNTIME` "+strings.Join(skeleton.Runtimes(), ", "))
	c.Flags().StringVar(&cfg.Dir, "dir", ".", "the pack's `FOLDER`")
	// It fails only for a flag that the command lacks.
	_ = c.MarkFlagRequired("runtime")
	_ = c.MarkFlagDirname("dir")
	complete(c, "runtime", skeleton.Runtimes()...)
	return c
}

// writtenSensor is what `sensor new` wrote, for programs.
type writtenSensor struct {
	Sensor  string   `json:"sensor"`
	Trigger string   `json:"trigger"`
	Dir     string   `json:"dir"`
	Files   []string `json:"files"`
}

func (s *session) newSensor(cfg skeleton.Config) error {
	written, err := skeleton.Write(cfg)
	if err != nil {
		return err
	}
	for _, file := range written.Files {
		s.say("wrote %s", filepath.Join(cfg.Dir, filepath.FromSlash(file)))
	}
	core, err := corePack()
	if err != nil {
		return err
	}
	if err := s.refuse(loadFolders([]string{cfg.Dir}, core.Triggers, nil)); err != nil {
		return fmt.Errorf("the files are written, but the pack has problems: %w", err)
	}
	s.say("\nThe code is in %s. Run one poll, run its test, and have every change applied as you save it:\n",
		filepath.Join(cfg.Dir, filepath.FromSlash(written.Files[len(written.Files)-2])))
	dir := quoteWord(cfg.Dir)
	s.say("  starter sensor test %s --sensor %s", dir, written.Name)
	s.say("  starter sensor test %s --sensor %s --expect %s", dir, written.Name, quoteWord(path.Join(filepath.ToSlash(cfg.Dir), "tests", written.Name+".json")))
	s.say("  starter apply %s --watch", dir)
	return s.report(writtenSensor{Sensor: written.Ref, Trigger: written.Ref, Dir: cfg.Dir, Files: written.Files})
}

// quoteWord writes a word as the shell reads it.
func quoteWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`!*?[]{}()<>|&;~#") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
