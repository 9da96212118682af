package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

type migrateCommand struct {
	Check bool `help:"Only report what would be done."`
	JSON  bool `name:"json" help:"For programs."`
}

// Run brings the store's schema up, or reports.
func (c *migrateCommand) Run(ctx context.Context, p *program) (err error) {
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	if _, err := os.Stat(settings.data); c.Check && settings.embedded() && errors.Is(err, fs.ErrNotExist) {
		if c.JSON {
			return json.NewEncoder(p.stdout).Encode(map[string]any{"done": false, "store": false})
		}
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
	if !c.Check {
		stop := showWork(p.stderr, "migrating")
		err := s.Migrate(ctx)
		stop()
		if err != nil {
			return err
		}
	}
	return c.report(p, pending)
}

// report says what was done, or is to do.
func (c *migrateCommand) report(p *program, migrations []string) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(map[string]any{"done": !c.Check, "store": true, "migrations": append([]string{}, migrations...)})
	}
	did := "done"
	if c.Check {
		did = "to do"
	}
	for _, name := range migrations {
		fmt.Fprintln(p.stdout, did+":", name)
	}
	if len(migrations) == 0 {
		fmt.Fprintln(p.stdout, "the schema is up to date")
	}
	return nil
}
