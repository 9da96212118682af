package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// shownAtMost is how long after the last socket went someone may be shown
// online: 5 s, and room for a busy machine.
const shownAtMost = shownOffline + 3*time.Second

// A span is between when something happened, as far as one can know who was
// not there.
type span struct{ from, to time.Time }

// after is the same of what cannot have been before something else.
func (s span) after(other span) span { return span{latest(s.from, other.from), latest(s.to, other.to)} }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// off is how far a time is outside the span.
func (s span) off(t time.Time) time.Duration { return max(0, s.from.Sub(t), t.Sub(s.to)) }

// A stay is from when to when someone was there, and for how long after that
// one may be shown online.
type stay struct {
	in, out span
	shown   time.Duration
}

// together merges stays that overlap. It says what is in doubt.
func together(stays []*stay) (merged []stay, doubt string) {
	for _, s := range slices.SortedFunc(slices.Values(stays), func(a, b *stay) int { return a.in.from.Compare(b.in.from) }) {
		if len(merged) == 0 {
			merged = append(merged, *s)
			continue
		}
		last := &merged[len(merged)-1]
		switch {
		case s.in.from.After(last.out.to):
			merged = append(merged, *s)
		case s.in.to.After(last.out.from):
			return nil, fmt.Sprintf("whether one came at %v before the other went at %v", s.in, last.out)
		default:
			last.out = last.out.after(s.out)
		}
	}
	return merged, ""
}

// A deviation is how far the record was off at most.
type deviation struct {
	boundary, present time.Duration
	what              string // was the boundary
	boundaries        int
}

// checkRecord compares the record with what the students remember, in all its
// forms.
func (c *class) checkRecord() (most deviation) {
	c.t.Helper()
	var record struct {
		Room roomHeard
		room.Record
	}
	path := "/v1/rooms/" + string(c.lecture.id) + "/attendance"
	if err := c.steady.call(c.t.Context(), c.lecture.passport, http.MethodGet, path, "", &record); err != nil {
		c.t.Fatal(err)
	}
	people := map[room.UserID]room.Attendance{}
	for _, p := range record.People {
		people[p.User] = p
	}
	if len(people) != len(c.students) || len(record.People) != len(c.students) {
		c.t.Errorf("%d people are in the record, and %d were there", len(record.People), len(c.students))
	}
	for _, s := range c.students {
		s.check(people[s.user], &most)
	}
	c.checkTimeline(record.Timeline)
	c.checkClosing(record.Room)
	c.checkExport(record.Record)
	return most
}

// check compares one person's part of the record.
func (s *witness) check(got room.Attendance, most *deviation) {
	s.t.Helper()
	want, doubt := together(s.stays)
	if doubt != "" {
		s.t.Fatalf("%s cannot tell %s", s.user, doubt)
	}
	say := func(format string, args ...any) {
		s.t.Helper()
		s.t.Errorf("%s: %s\nrecorded %+v\nremembered %+v", s.user, fmt.Sprintf(format, args...), got, want)
	}
	near := func(what string, t room.Timestamp, when span) {
		s.t.Helper()
		off := when.off(t.Time)
		if most.boundaries++; off > most.boundary {
			most.boundary, most.what = off, fmt.Sprintf("%s of %s", what, s.user)
		}
		if off > tolerance {
			say("%s is %v off", what, off)
		}
	}
	if got.Seat == nil || *got.Seat != s.seat {
		say("the seat was %d", s.seat)
	}
	if got.Rejoins != max(0, len(want)-1) || len(got.Intervals) != len(want) {
		say("there were %d intervals", len(want))
		return
	}
	near("the first join", got.FirstJoinedAt, s.places[0].in)
	var least, longest time.Duration
	for k, w := range want {
		near("a coming", got.Intervals[k].From, w.in)
		near("a going", got.Intervals[k].To, w.out)
		least, longest = least+w.out.from.Sub(w.in.to), longest+w.out.to.Sub(w.in.from)
	}
	if len(want) > 0 {
		near("the last going", got.LastLeftAt, want[len(want)-1].out)
	}
	present := time.Duration(got.PresentSeconds) * time.Second
	off := max(0, least-present, present-longest)
	if most.present = max(most.present, off); off > tolerance {
		say("the time present was %v to %v", least, longest)
	}
}

// checkTimeline compares how many were there, and were shown to be, with how
// many can have been.
func (c *class) checkTimeline(points []room.TimelinePoint) {
	c.t.Helper()
	if len(points) < int(lectureLasts/time.Second)/2 {
		c.t.Errorf("the timeline has %d points", len(points))
	}
	for _, p := range points {
		var online, taken [2]int // at least, at most
		for _, s := range c.students {
			tally(&online, s.stays, p.At.Time)
			tally(&taken, s.places, p.At.Time)
		}
		if p.Online < online[0] || p.Online > online[1] || p.Taken < taken[0] || p.Taken > taken[1] {
			c.t.Errorf("%.1f s after the beginning %+v, and there were %v, with %v places", p.At.Sub(c.began).Seconds(), p, online, taken)
		}
	}
}

// tally adds one to how many there are at least and at most at a time, if the
// person of these stays is there.
func tally(many *[2]int, stays []*stay, t time.Time) {
	surely, perhaps := 0, 0
	for _, s := range stays {
		if t.After(s.in.to.Add(tolerance)) && t.Before(s.out.from.Add(-tolerance)) {
			surely = 1
		}
		if t.After(s.in.from.Add(-tolerance)) && t.Before(s.out.to.Add(s.shown+tolerance)) {
			perhaps = 1
		}
	}
	many[0] += surely
	many[1] += perhaps
}

// checkClosing looks for anything that came to pass because a clock was wrong.
func (c *class) checkClosing(got roomHeard) {
	c.t.Helper()
	if got.Status != room.Closed || got.ClosedAt.Sub(got.OpenedAt.Time) > lectureLasts+patience {
		c.t.Errorf("the room is %+v", got)
	}
	wrong := c.happened(c.lecture.id, func(e room.Event) bool { return e.Reason == room.ReasonLapsed || e.Reason == room.ReasonExpired })
	if len(wrong) > 0 {
		c.t.Errorf("%+v", wrong)
	}
}

// checkExport compares what `lectern export` writes with the record.
func (c *class) checkExport(record room.Record) {
	c.t.Helper()
	var exported struct{ room.Record }
	err := json.Unmarshal([]byte(must(c.t, c.environ, "", "export", string(c.lecture.id), "--format", "json")), &exported)
	if got, want := asJSON(c.t, exported.Record), asJSON(c.t, record); err != nil || got != want {
		c.t.Errorf("exported (%v)\n%s\nand the record is\n%s", err, got, want)
	}
	text, marked := strings.CutPrefix(must(c.t, c.environ, "", "export", string(c.lecture.id), "--format", "csv"), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != len(record.People)+1 {
		c.t.Fatalf("exported %d rows (%v):\n%s", len(rows), err, text)
	}
	for k, p := range record.People {
		left := ""
		if !p.LastLeftAt.IsZero() {
			left = room.Stamp(p.LastLeftAt.Time)
		}
		want := []string{
			string(p.User), p.Name, "false", strconv.Itoa(*p.Seat), room.Stamp(p.FirstJoinedAt.Time), left,
			strconv.Itoa(p.PresentSeconds), strconv.Itoa(p.Rejoins), "",
		}
		if !slices.Equal(rows[k+1], want) {
			c.t.Errorf("exported %q, and the record says %q", rows[k+1], want)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
