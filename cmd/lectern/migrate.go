package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

type migrateCommand struct {
	Check bool `help:"Only report what would be done."`
}

// Run brings the store's schema up, or reports.
func (c *migrateCommand) Run(ctx context.Context, p *program) (err error) {
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	if _, err := os.Stat(settings.data); c.Check && settings.embedded() && errors.Is(err, fs.ErrNotExist) {
		_, err = fmt.Fprintf(p.stdout, "there is no store in %s yet\n", settings.data)
		return err
	}
	s, err := openRooms(ctx, settings, newLogger(p.stderr, settings))
	if err != nil {
		return err
	}
	defer closing(s, &err)
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	did := "to do"
	if !c.Check {
		did = "done"
		if err := s.Migrate(ctx); err != nil {
			return err
		}
	}
	for _, name := range pending {
		fmt.Fprintln(p.stdout, did+":", name)
	}
	if len(pending) == 0 {
		fmt.Fprintln(p.stdout, "the schema is up to date")
	}
	return nil
}
