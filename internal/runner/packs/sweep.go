package packs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// unused is how long a folder of the cache stays without being used.
	unused = 7 * 24 * time.Hour
	// leftover begins the names of folders that are being made or removed.
	leftover = ".new-"
	// abandoned is when such a folder must be that of a worker that was killed.
	abandoned = 24 * time.Hour
)

// sweepDaily sweeps now and then daily, until ctx ends.
func (c *Cache) sweepDaily(ctx context.Context) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if err := c.Sweep(ctx); err != nil && ctx.Err() == nil {
			c.logger.Warn("removing unused packs and dependencies failed", zap.Error(err))
		}
		select {
		case <-daily.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sweep removes copies of packs and dependencies that no worker used for a week. New sees to it that it is done daily.
func (c *Cache) Sweep(ctx context.Context) error {
	c.uses.refresh()
	c.plans.forget()
	return errors.Join(c.sweep(ctx, c.packs, c.remove), c.sweep(ctx, c.deps, c.removeDependencies))
}

func (c *Cache) sweep(ctx context.Context, parent string, remove func(dir string) error) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return ignoreMissing(err)
	}
	var failures []error
	for _, entry := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		dir := filepath.Join(parent, entry.Name())
		info, err := entry.Info()
		if err != nil {
			continue // gone: another worker may be sweeping, too
		}
		age, made := c.now().Sub(info.ModTime()), !strings.HasPrefix(entry.Name(), leftover)
		switch {
		case made && age > unused:
			failures = append(failures, remove(dir))
		case !made && age > abandoned:
			failures = append(failures, os.RemoveAll(dir))
		}
	}
	return errors.Join(failures...)
}

// remove removes the folder if it is unused: first from its name, so that nobody finds half of it.
func (c *Cache) remove(dir string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), leftover)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	gone, err := c.uses.discard(dir, filepath.Join(tmp, "old"), c.now().Add(-unused))
	if gone {
		c.logger.Info("removing an unused folder of the cache", zap.String("folder", dir))
	}
	return err
}

// removeDependencies does the same with what nobody is installing.
func (c *Cache) removeDependencies(dir string) error {
	lock, err := tryLock(dir)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	return c.remove(dir)
}
