// Command demo applies the example pack, runs a worker, and prints what happens until it is stopped or, with --once,
// until every example rule has fired. It uses the programs in bin/ as a user would.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/store"
)

// patience is how long --once waits for the rules.
const patience = 3 * time.Minute

func main() {
	once := flag.Bool("once", false, "end once every example rule has fired")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *once); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, once bool) error {
	cfg, err := config.Load(config.Options{Environ: os.Environ()})
	if err != nil {
		return err
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	log := filepath.Join(folder, ".dev", "demo-access.log")
	site, err := startSite(log)
	if err != nil {
		return err
	}
	defer site.close()
	if err := apply(ctx, folder, site.url, log); err != nil {
		return err
	}
	db, err := store.New(ctx, store.Config{URL: cfg.Database.URL, MaxConnections: 4})
	if err != nil {
		return err
	}
	defer db.Close()
	view, err := newView(ctx, cfg, db)
	if err != nil {
		return err
	}
	defer view.summary()
	if err := rewind(ctx, db); err != nil {
		return err
	}
	shop, err := newShop()
	if err != nil {
		return err
	}
	stopReviews, err := startReviews(cfg)
	if err != nil {
		return err
	}
	defer stopReviews()
	stopWorker, died, err := startWorker(shop.environment())
	if err != nil {
		return err
	}
	defer stopWorker()
	go shop.sell(ctx)
	return follow(ctx, view, died, once)
}

// apply sets the database up and applies the example pack, pointed at this checkout and at the demo's own site.
func apply(ctx context.Context, folder, site, log string) error {
	set := func(key string, what any) string {
		value, _ := json.Marshal(what) // values are YAML, of which JSON is a part; texts are always JSON
		return "--set=examples." + key + "=" + string(value)
	}
	for _, args := range [][]string{
		{"migrate"},
		{"apply", "packs/examples", set("git_commits.repository", folder), set("http_probe.url", site), set("log_lines.path", log),
			set("access.paths", []string{log})},
	} {
		fmt.Printf("$ starter %s\n", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, "bin/starter", args...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("starter %s: %w", args[0], err)
		}
	}
	return nil
}

// startWorker runs bin/worker in a process group of its own, with variables besides those of the demo's environment. The returned function stops it and waits; the channel tells
// when it ends by itself.
func startWorker(environment []string) (stop func(), died <-chan error, err error) {
	fmt.Println("$ worker")
	cmd := exec.Command("bin/worker")
	cmd.Env = append(append(os.Environ(), "ATTUNE__OPS__ADDRESS=127.0.0.1:0", "ATTUNE__LOG__LEVEL=warn"), environment...)
	if folder, err := os.Getwd(); err == nil && strings.HasPrefix(folder, "/tmp/") {
		cmd.Env = append(cmd.Env, "ATTUNE__RUNTIME__SANDBOX=none") // where the examples could not see this checkout
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("starting the worker: %w", err)
	}
	exited := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		exited <- cmd.Wait()
		close(done)
	}()
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		<-done
	}, exited, nil
}

// follow prints what happens until it is time to end.
func follow(ctx context.Context, view *view, died <-chan error, once bool) error {
	deadline := time.After(patience)
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-died:
			return fmt.Errorf("the worker ended: %w", errors.Join(err, errors.New("see its log above")))
		case <-deadline:
			if once {
				return fmt.Errorf("after %s these rules have not fired: %s", patience, strings.Join(view.silent(), ", "))
			}
			deadline = nil
		case <-tick.C:
		}
		if err := view.refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if once && view.complete() {
			return nil
		}
	}
}
