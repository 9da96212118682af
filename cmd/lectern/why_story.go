package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A story is what happened to one person in one room, in sentences.
type story struct {
	room  *room.Room
	user  room.UserID
	lines []line
	state room.State            // of the person, as far as the log is read
	seats map[room.UserID]int   // who holds which seat, as far as the log is read
	freed map[int]room.LogEvent // how seats came free, in the item that is read
	grown bool                  // there are more seats or fewer, from that item on
}

// A line is one sentence of a story.
type line struct {
	at   time.Time
	text string
}

func newStory(r *room.Room, user room.UserID) *story {
	return &story{room: r, user: user, seats: map[room.UserID]int{}}
}

// follow reads the next item of the log, of which part is the person's.
func (s *story) follow(item, part room.LogItem) {
	s.freed, s.grown = map[int]room.LogEvent{}, false
	answers, online := part.Answered, false
	for _, e := range item.Events {
		mine := e.User != nil && *e.User == s.user
		online = online || mine && e.Type == room.EventConnected && e.Online
		switch {
		case e.Type == room.EventJoined && mine:
			answers = s.joined(e, item, answers)
		case mine, e.User == nil && s.present():
			s.say(item, e)
		}
		s.note(e, mine)
	}
	for _, r := range part.Refused {
		s.add(item.At.Time, "%s, refused: %s (%s)", asks(r.Type), refused(r), r.Code)
	}
	for _, a := range answers {
		if text := done(a, online); text != "" {
			s.add(item.At.Time, "%s", text)
		}
	}
}

// present tells whether what happens to the room happens to the person.
func (s *story) present() bool { return s.state.Member() || s.user == s.room.Instructor.User }

func (s *story) add(at time.Time, format string, args ...any) {
	s.lines = append(s.lines, line{at, fmt.Sprintf(format, args...)})
}

// note keeps in mind who holds which seat, and what the person is to the room.
func (s *story) note(e room.LogEvent, mine bool) {
	switch e.Type {
	case room.EventJoined, room.EventSeated:
		if e.Seat > 0 {
			s.seats[*e.User] = e.Seat
		}
	case room.EventLeft:
		if seat := s.seats[*e.User]; seat > 0 {
			s.freed[seat] = e
		}
		delete(s.seats, *e.User)
	case room.EventChanged:
		s.grown = s.grown || e.Change.Capacity != nil
	}
	if !mine {
		return
	}
	switch e.Type {
	case room.EventJoined:
		s.state = e.State
	case room.EventSeated:
		s.state = room.Seated
	case room.EventAdmitted:
		s.state = room.Waiting
	case room.EventLeft:
		s.state = room.Left
	}
}

// joined tells of a new place, with the answer to whoever asked for it, which
// it takes out of the answers.
func (s *story) joined(e room.LogEvent, item room.LogItem, answers []room.LogAnswer) []room.LogAnswer {
	i := slices.IndexFunc(answers, func(a room.LogAnswer) bool { return a.Type == room.CommandJoin && !a.Already })
	position := 0
	if i >= 0 {
		position = answers[i].Position
		answers = slices.Delete(slices.Clone(answers), i, i+1)
	}
	switch e.State {
	case room.Waiting:
		s.add(item.At.Time, "asked to join: every seat was taken, so %s in line", ordinal(position))
	case room.Pending:
		s.add(item.At.Time, "asked to join: waits to be admitted")
	default:
		s.add(item.At.Time, "asked to join: got seat %d", e.Seat)
	}
	return answers
}

// say tells of an event of the person's, or of the room's while the person is
// in it.
func (s *story) say(item room.LogItem, e room.LogEvent) {
	at := item.At.Time
	if !e.At.IsZero() {
		at = e.At.Time
	}
	if text := s.sentence(e); text != "" {
		s.add(at, "%s", text)
	}
}

func (s *story) sentence(e room.LogEvent) string {
	switch e.Type {
	case room.EventOpened:
		return fmt.Sprintf("opened the room %q with %s", *e.Change.Title, quantity(*e.Change.Capacity, "seat"))
	case room.EventStarted:
		return "the room opened"
	case room.EventSeated:
		return s.seated(e)
	case room.EventAdmitted:
		return "was admitted, and waits in line for a seat"
	case room.EventRenamed:
		return "took another name"
	case room.EventLeft:
		return s.gone(e)
	case room.EventBanned:
		return "was banned from the room"
	case room.EventUnbanned:
		return "may join again: the ban was lifted"
	case room.EventDisconnected:
		return "a connection ended"
	case room.EventOffline:
		return "went offline"
	case room.EventClosed:
		return "the room closed: " + closedBy(e.Reason)
	case room.EventCorrected:
		return corrected(e)
	case room.EventErased:
		return "took the place of somebody who was erased"
	}
	return ""
}

// seated tells how the person got the seat after all.
func (s *story) seated(e room.LogEvent) string {
	text := fmt.Sprintf("got seat %d", e.Seat)
	if s.state == room.Pending {
		text = fmt.Sprintf("was admitted: got seat %d", e.Seat)
	}
	left, ok := s.freed[e.Seat]
	switch {
	case !ok && s.grown:
		return text + ", since there are more seats now"
	case !ok:
		return text
	}
	return fmt.Sprintf("%s, freed by %s, who %s", text, s.name(*left.User), wayOut(left.Reason))
}

func (s *story) gone(e room.LogEvent) string {
	if e.Reason != room.ReasonLapsed {
		return wayOut(e.Reason)
	}
	place := "the place in line"
	switch s.state {
	case room.Seated:
		place = fmt.Sprintf("seat %d", s.seats[s.user])
	case room.Pending:
		place = "the place among those who wait to be admitted"
	}
	return fmt.Sprintf("lost %s: was offline for too long (%s)", place, e.Reason)
}

// wayOut says how someone left.
func wayOut(why room.Reason) string {
	switch why {
	case room.ReasonRemoved:
		return "was removed by the instructor"
	case room.ReasonBanned:
		return "was removed and banned by the instructor"
	case room.ReasonLapsed:
		return "was offline for too long"
	}
	return "left"
}

func closedBy(why room.Reason) string {
	if why == room.ReasonExpired {
		return "its time was over"
	}
	return "its instructor closed it"
}

func corrected(e room.LogEvent) string {
	if e.Status == "" {
		return fmt.Sprintf("attendance: %s took the correction back", e.By)
	}
	return fmt.Sprintf("attendance: %s set it to %s: %s", e.By, e.Status, e.Why)
}

// print writes the story with times of a place, whose offset it names once.
func (s *story) print(w io.Writer, zone *time.Location) error {
	slices.SortStableFunc(s.lines, func(a, b line) int { return a.at.Compare(b.at) })
	var text strings.Builder
	day := ""
	for i, l := range s.lines {
		at := l.at.In(zone)
		if i == 0 {
			fmt.Fprintf(&text, "%s in %q, room %s. Times are UTC%s.\n", s.name(s.user), s.room.Title, s.room.ID, at.Format("-07:00"))
		}
		if date := at.Format(time.DateOnly); date != day {
			day = date
			fmt.Fprintf(&text, "%s\n", date)
		}
		fmt.Fprintf(&text, "%s  %s\n", at.Format("15:04:05.000"), l.text)
	}
	fmt.Fprintf(&text, "Now: %s.\n", s.now(zone))
	_, err := io.WriteString(w, text.String())
	return err
}

func (s *story) name(u room.UserID) string {
	name := string(u)
	if p := s.room.Person(u); p != nil {
		name = p.Name
	} else if u == s.room.Instructor.User {
		name = s.room.Instructor.Name
	}
	if name == string(u) {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, u)
}

// now says how it stands.
func (s *story) now(zone *time.Location) string {
	p := s.room.Person(s.user)
	moment := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05") }
	switch {
	case s.user == s.room.Instructor.User:
		return fmt.Sprintf("the room's instructor; the room is %s", s.room.Status)
	case p == nil:
		return "has no place, and never had one"
	case p.State == room.Banned:
		return "banned since " + moment(p.BannedAt)
	case p.LeftAt.IsZero() && !p.State.Member():
		return "has no place, and never had one"
	case !p.State.Member():
		return "has no place since " + moment(p.LeftAt)
	case s.room.Status == room.Closed:
		return fmt.Sprintf("the room is closed since %s; until then: %s", moment(s.room.ClosedAt), s.place(p))
	case p.Online:
		return s.place(p) + ", online"
	}
	return s.place(p) + ", offline"
}

func (s *story) place(p *room.Person) string {
	switch p.State {
	case room.Seated:
		return fmt.Sprintf("seat %d", p.Seat)
	case room.Waiting:
		return ordinal(s.room.Position(p)) + " in line"
	}
	return "waits to be admitted"
}
