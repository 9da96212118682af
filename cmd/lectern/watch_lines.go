package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/lectern-room/lectern/room"
)

// frames is the display for programs.
type frames struct {
	out, notes io.Writer
}

func (d *frames) hear(_ *follower, data []byte, _ *watchMessage, _ []change) error {
	_, err := d.out.Write(append(data, '\n'))
	return err
}

func (d *frames) note(text string)                    { fmt.Fprintln(d.notes, text) }
func (*frames) refresh(*follower) error               { return nil }
func (*frames) over(_ *follower, _ room.Reason) error { return nil }

// lines is the display for files and pipes: what changes, a line each.
type lines struct {
	out, notes io.Writer
	head       []string
}

func (d *lines) hear(f *follower, _ []byte, _ *watchMessage, changes []change) error {
	var text strings.Builder
	now := time.Now().Format(time.TimeOnly)
	if head := headOf(&f.room); f.room.ID != "" && f.roster.pages == nil && !slices.Equal(head, d.head) {
		d.head = head
		fmt.Fprintf(&text, "%s = %s\n", now, strings.Join(append(head, countsOf(f)...), ", "))
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Or(bySeat(a.after, b.after), bySeat(a.before, b.before)) })
	positions := f.roster.positions()
	for _, c := range changes {
		if told := c.text(positions); told != "" {
			fmt.Fprintf(&text, "%s %s\n", now, told)
		}
	}
	_, err := io.WriteString(d.out, text.String())
	return err
}

func (d *lines) note(text string)      { fmt.Fprintln(d.notes, text) }
func (*lines) refresh(*follower) error { return nil }
func (d *lines) over(_ *follower, why room.Reason) error {
	_, err := fmt.Fprintf(d.out, "%s = %s\n", time.Now().Format(time.TimeOnly), closingOf(why))
	return err
}

// headOf says what stays of a room for a while.
func headOf(r *watchedRoom) []string {
	words := []string{plain(r.Title)}
	if r.Code != "" {
		words = append(words, r.Code)
	}
	if r.Status != room.Open {
		words = append(words, string(r.Status))
	}
	return append(words, quantity(r.Capacity, "seat"))
}

// countsOf says how full a room is.
func countsOf(f *follower) []string {
	var online int
	states := map[room.State]int{}
	for _, e := range f.roster.entries {
		states[e.State]++
		if e.Online {
			online++
		}
	}
	return []string{
		fmt.Sprintf("%d taken", states[room.Seated]), fmt.Sprintf("%d waiting", states[room.Waiting]),
		fmt.Sprintf("%d pending", states[room.Pending]), fmt.Sprintf("%d online", online),
	}
}

// text says what a change is, "" if it is nothing to see.
func (c change) text(positions map[room.UserID]int) string {
	before, after := c.before, c.after
	switch {
	case after.User == "":
		return strings.TrimSpace("- " + plain(before.Name) + " " + strings.ReplaceAll(string(c.reason), "_", " "))
	case before.User == "":
		return "+ " + plain(after.Name) + " " + placeOf(after, positions)
	case before.State != after.State || before.Seat != after.Seat:
		return "> " + plain(after.Name) + " " + placeOf(after, positions)
	case before.Name != after.Name:
		return "~ " + plain(before.Name) + " is " + plain(after.Name) + " now"
	case before.Online && !after.Online:
		return "~ " + plain(after.Name) + " offline"
	case after.Online && !before.Online:
		return "~ " + plain(after.Name) + " online"
	}
	return ""
}

func placeOf(e seatEntry, positions map[room.UserID]int) string {
	switch e.State {
	case room.Seated:
		return fmt.Sprintf("seat %d", e.Seat)
	case room.Waiting:
		return ordinal(positions[e.User]) + " in line"
	}
	return string(e.State)
}

// in returns the people of a state, in order.
func (r *roster) in(s room.State) (people []seatEntry) {
	for _, e := range r.entries {
		if e.State == s {
			people = append(people, e)
		}
	}
	slices.SortFunc(people, bySeat)
	return people
}

// positions are the ranks of those who wait.
func (r *roster) positions() map[room.UserID]int {
	positions := map[room.UserID]int{}
	for i, e := range r.in(room.Waiting) {
		positions[e.User] = i + 1
	}
	return positions
}

// bySeat orders the seated, and then the others by their places.
func bySeat(a, b seatEntry) int {
	return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Seat, b.Seat), cmp.Compare(a.User, b.User))
}

// plain is a text that does nothing to a terminal, and stays on its line.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
}

// closingOf says why a room is closed, as far as it was told.
func closingOf(why room.Reason) string {
	if why == "" {
		return "the room is closed"
	}
	return "the room is closed: " + closedBy(why)
}
