package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	log := newLogger(p.stderr, settings)
	if c.Check {
		return c.check(ctx, p, settings, log)
	}
	s, err := openRooms(ctx, settings, log)
	if err != nil {
		return err
	}
	defer closing(s, &err)
	pending, err := s.Pending(ctx)
	if err != nil {
		return err
	}
	stop := showWork(p.stderr, "migrating")
	err = s.Migrate(ctx)
	stop()
	if err != nil {
		return err
	}
	return c.report(p, true, pending)
}

// check only looks, beside a server or not.
func (c *migrateCommand) check(ctx context.Context, p *program, settings *config, log *slog.Logger) (err error) {
	r, err := findRecords(ctx, settings, log)
	if errors.Is(err, errNoStore) {
		if c.JSON {
			return c.report(p, false, nil)
		}
		_, err = fmt.Fprintf(p.stdout, "there is no store %s yet\n", settings.place())
		return err
	}
	if err != nil {
		return err
	}
	defer closing(r, &err)
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	return c.report(p, true, pending)
}

// report says what was done, or is to do, and whether there is a store.
func (c *migrateCommand) report(p *program, store bool, migrations []string) error {
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(map[string]any{"done": !c.Check, "store": store, "migrations": append([]string{}, migrations...)})
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
