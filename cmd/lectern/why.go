package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

type whyCommand struct {
	Room string `arg:"" help:"The room's id, or its join code while it is not closed."`
	User string `arg:"" help:"The person's user id."`
	JSON bool   `name:"json" help:"For programs: the person's part of the log, an item a line."`
}

// entriesAtOnce is how many entries of a log are in memory at a time: one of a
// storm holds a thousand joins.
const entriesAtOnce = 50

// Run tells what happened to one person in one room.
func (c *whyCommand) Run(ctx context.Context, p *program) (err error) {
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	r, err := openRecords(ctx, settings, newLogger(p.stderr, settings))
	if err != nil {
		return err
	}
	defer closing(r, &err)
	found, err := findRoom(ctx, r, settings, c.Room)
	if err != nil {
		return err
	}
	story := newStory(found, room.UserID(c.User))
	lines := json.NewEncoder(p.stdout)
	told := 0
	for item, err := range logOf(ctx, r, found.ID) {
		if err != nil {
			return err
		}
		part, concerned := item.Of(story.user)
		if concerned {
			told++
		}
		switch {
		case !c.JSON:
			story.follow(item, part)
		case concerned:
			if err := lines.Encode(part); err != nil {
				return err
			}
		}
	}
	if told == 0 {
		return c.unknown(found)
	}
	if c.JSON {
		return nil
	}
	return story.print(p.stdout, time.Local)
}

// logOf ranges over a room's log. An error ends it.
func logOf(ctx context.Context, r records, id room.ID) func(yield func(room.LogItem, error) bool) {
	return func(yield func(room.LogItem, error) bool) {
		var after int64
		for {
			entries, err := r.Entries(ctx, id, after, entriesAtOnce)
			if err != nil {
				yield(room.LogItem{}, err)
				return
			}
			for i := range entries {
				if after = entries[i].Version; !yield(entries[i].LogItem(), nil) {
					return
				}
			}
			if len(entries) < entriesAtOnce {
				return
			}
		}
	}
}

// unknown is the error of a user of whom the room knows nothing. Whoever gave
// a name hears whose it is.
func (c *whyCommand) unknown(r *room.Room) error {
	var called []string
	for person := range r.People() {
		if strings.EqualFold(person.Name, c.User) {
			called = append(called, fmt.Sprintf("%q", person.User))
		}
	}
	if len(called) == 0 {
		return fmt.Errorf("nobody with the user id %q has ever asked for anything in room %s: it is the `sub` of the passport, and with a wrong code one does not get as far as the room", c.User, r.ID)
	}
	slices.Sort(called)
	return errors.New("what is asked for is a user id, and that is a name: it is that of " + strings.Join(called, ", "))
}
