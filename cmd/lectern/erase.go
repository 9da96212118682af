package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/lectern-room/lectern/room"
)

type eraseCommand struct {
	User string `required:"" placeholder:"ID" help:"Whose name and id go."`
	Yes  bool   `help:"Do not ask."`
	JSON bool   `name:"json" help:"For programs."`
}

// Help says what the command comes to.
func (eraseCommand) Help() string {
	return `In every closed room somebody of whom nothing is known takes the person's place, so that records still add up. It cannot be undone. An embedded store's server must be stopped for it.

Example:

  lectern erase --user=s42`
}

// outOfReach lists where a store cannot take a name or an id out.
func outOfReach() []string {
	return []string{
		"backups and archives of the store, and what Postgres has not vacuumed yet",
		"titles of rooms, and reasons of other people's corrections, that name the person",
		"attendance records that were exported or downloaded before",
		"logs of instances, proxies and balancers",
		"whatever makes the passports",
	}
}

// Run takes a person's name and id out of every room that is closed.
func (c *eraseCommand) Run(ctx context.Context, p *program) (err error) {
	if !room.ValidUser(c.User) {
		return fmt.Errorf("--user is %q: accepted are 1 to 128 bytes of printable UTF-8", c.User)
	}
	settings, err := p.settings.check(p.environ)
	if err != nil {
		return err
	}
	s, err := openToChange(ctx, settings, newLogger(p.stderr, settings))
	if err != nil {
		return err
	}
	defer closing(s, &err)
	if err := c.confirm(ctx, p, settings); err != nil {
		return err
	}
	stop := showWork(p.stderr, "erasing")
	done, err := s.Erase(ctx, room.UserID(c.User))
	stop()
	if err == nil || len(done.Rooms) > 0 {
		err = errors.Join(err, c.tell(p.stdout, done))
	}
	return errors.Join(err, c.left(done))
}

// openToChange opens the store that the settings name, which must be there.
func openToChange(ctx context.Context, c *config, log *slog.Logger) (rooms, error) {
	r, err := openRecords(ctx, c, log)
	if err != nil {
		return nil, err
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return openRooms(ctx, c, log)
}

// confirm asks whoever is at the terminal.
func (c *eraseCommand) confirm(ctx context.Context, p *program, settings *config) error {
	switch {
	case c.Yes:
		return nil
	case !isTerminal(p.stdin):
		return errors.New("nothing was erased: there is nobody to ask, so say --yes")
	}
	fmt.Fprintf(p.stderr, "Erase %q from every closed room %s, for ever? Type yes: ", c.User, settings.place())
	answers := make(chan string, 1)
	go func() { // until the program ends, if nobody types anything
		answer, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answers <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answers:
		if answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("nothing was erased")
}

// tell says what was done, and what is left to do elsewhere.
func (c *eraseCommand) tell(w io.Writer, done room.Erasure) error {
	if c.JSON {
		done.Rooms, done.Open = append([]room.ID{}, done.Rooms...), append([]room.ID{}, done.Open...)
		return json.NewEncoder(w).Encode(struct {
			room.Erasure
			OutOfReach []string `json:"out_of_reach"`
		}{done, outOfReach()})
	}
	var text strings.Builder
	if len(done.Rooms) == 0 {
		fmt.Fprintf(&text, "no closed room knows %q\n", c.User)
	} else {
		fmt.Fprintf(&text, "%q is erased from %s:\n", c.User, quantity(len(done.Rooms), "room"))
	}
	for _, table := range slices.Sorted(maps.Keys(done.Rows)) {
		fmt.Fprintf(&text, "  %s of the table %s\n", quantity(done.Rows[table], "row"), table)
	}
	text.WriteString("what a store cannot reach:\n")
	for _, place := range outOfReach() {
		fmt.Fprintf(&text, "  %s\n", place)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// left is the error of rooms that still know the person.
func (c *eraseCommand) left(done room.Erasure) error {
	if len(done.Open) == 0 {
		return nil
	}
	ids := make([]string, len(done.Open))
	for i, id := range done.Open {
		ids[i] = string(id)
	}
	return fmt.Errorf("%q is still known where the room is not closed: close %s, and erase again", c.User, strings.Join(ids, ", "))
}

// quantity says how many things there are.
func quantity(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
