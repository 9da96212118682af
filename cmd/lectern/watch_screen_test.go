package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lectern-room/lectern/room"
)

// A terminal understands what a screen writes, and nothing else.
type terminal struct {
	t             *testing.T
	width, height int
	rows          []string
	at            int // the cursor's row
}

var written = regexp.MustCompile(`\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+`)

func (m *terminal) Write(data []byte) (int, error) {
	for _, token := range written.FindAllString(string(data), -1) {
		switch {
		case token == "\r", token == eraseLine:
		case token == "\n":
			m.at++
		case token == eraseBelow:
			m.rows = m.rows[:min(len(m.rows), m.at)]
		case token == eraseScreen:
			m.rows = nil
		case token == cursorHome:
			m.at = 0
		case strings.HasPrefix(token, "\x1b["):
			up, err := strconv.Atoi(token[2 : len(token)-1])
			if err != nil || token[len(token)-1] != 'A' || up > m.at {
				m.t.Errorf("%q in row %d", token, m.at)
			}
			m.at -= up
		default:
			for len(m.rows) <= m.at {
				m.rows = append(m.rows, "")
			}
			m.rows[m.at] = token
		}
		if m.at >= m.height {
			m.t.Errorf("the terminal of %d rows has scrolled", m.height)
		}
	}
	return len(data), nil
}

// newTestScreen shows a room on a terminal.
func newTestScreen(t *testing.T, width, height int) (*terminal, *screen, *follower) {
	m := &terminal{t: t, width: width, height: height}
	s := &screen{out: m, size: func() (int, int) { return m.width, m.height }}
	f := &follower{room: watchedRoom{ID: "r", Code: "K7QF3MXD", Title: "물리학 1", Capacity: 300, Status: room.Open}, roster: newRoster()}
	return m, s, f
}

// seat puts someone in the room, and draws.
func seat(t *testing.T, s *screen, f *follower, e seatEntry) {
	t.Helper()
	f.roster.entries[e.User] = e
	draw(t, s, f)
}

func draw(t *testing.T, s *screen, f *follower) {
	t.Helper()
	if err := s.hear(f, nil, &watchMessage{}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.refresh(f); err != nil {
		t.Fatal(err)
	}
}

func (m *terminal) shows(rows ...string) {
	m.t.Helper()
	if !slices.Equal(m.rows, rows) {
		m.t.Errorf("it shows\n%s\nwant\n%s", strings.Join(m.rows, "\n"), strings.Join(rows, "\n"))
	}
}

func TestScreen(t *testing.T) {
	m, s, f := newTestScreen(t, 60, 20)
	seat(t, s, f, seatEntry{User: "s1", Name: "김민수", State: room.Seated, Seat: 1, Online: true})
	seat(t, s, f, seatEntry{User: "s2", Name: "Kim", State: room.Seated, Seat: 2})
	m.shows(
		"물리학 1   K7QF3MXD   300 seats   2 taken   0 waiting",
		"0 pending   1 online (*)",
		"",
		"1 * 김민수   2   Kim")
	seat(t, s, f, seatEntry{User: "s10", Name: "A name that is longer", State: room.Seated, Seat: 10})
	seat(t, s, f, seatEntry{User: "w2", Name: "Late", State: room.Waiting, Place: 9})
	seat(t, s, f, seatEntry{User: "w1", Name: "O😀p", State: room.Waiting, Place: 4, Online: true})
	seat(t, s, f, seatEntry{User: "p1", Name: "Bo", State: room.Pending, Place: 7})
	m.shows(
		"물리학 1   K7QF3MXD   300 seats   3 taken   2 waiting",
		"1 pending   2 online (*)",
		"",
		" 1 * 김민수               10   A name that is lo~",
		" 2   Kim",
		"",
		"waiting in line",
		"1 * O😀p   2   Late",
		"",
		"waiting to be admitted",
		"1   Bo")

	m.width = 24 // the columns of the Korean name are as wide as they look
	if err := s.refresh(f); err != nil {
		t.Fatal(err)
	}
	m.shows(
		"물리학 1   K7QF3MXD",
		"300 seats   3 taken",
		"2 waiting   1 pending",
		"2 online (*)",
		"",
		" 1 * 김민수",
		" 2   Kim",
		"10   A name that is lo~",
		"",
		"waiting in line",
		"1 * O😀p   2   Late",
		"",
		"waiting to be admitted",
		"1   Bo")

	s.note("connection lost")
	if err := s.refresh(f); err != nil {
		t.Fatal(err)
	}
	if last := m.rows[len(m.rows)-1]; last != "connection lost" {
		t.Errorf("the last line is %q", last)
	}
	if err := s.over(f, room.ReasonExpired); err != nil || !strings.HasPrefix(m.rows[len(m.rows)-1], "the room is closed: it") {
		t.Errorf("at the end: %q, %v", m.rows, err)
	}
}

// Whoever waits is shown however many are seated, and nothing scrolls.
func TestScreenIsFull(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 12}, {20, 8}, {200, 60}, {10, 3}, {80, 2}} {
		m, s, f := newTestScreen(t, size[0], size[1])
		for i := range 300 {
			user := room.UserID(fmt.Sprint("s", i))
			f.roster.entries[user] = seatEntry{User: user, Name: "Student", State: room.Seated, Seat: i + 1}
		}
		for i := range 50 {
			user := room.UserID(fmt.Sprint("w", i))
			f.roster.entries[user] = seatEntry{User: user, Name: "Waiting", State: room.Waiting, Place: int64(i + 1)}
		}
		draw(t, s, f)
		draw(t, s, f)
		text := strings.Join(m.rows, "\n")
		if size[1] >= 12 && (!strings.Contains(text, "waiting in line\n") || size[1] < 60 && !strings.Contains(text, " more")) {
			t.Errorf("%v:\n%s", size, text)
		}
		for _, row := range m.rows {
			if width := s.cells.StringWidth(row); width >= max(2, size[0]) {
				t.Errorf("%v: %q is %d wide", size, row, width)
			}
		}
	}
}

// What has not changed is not drawn.
func TestScreenIsCalm(t *testing.T) {
	m, s, f := newTestScreen(t, 60, 20)
	draw(t, s, f)
	m.rows = nil
	if err := s.refresh(f); err != nil || m.rows != nil {
		t.Errorf("drawn again: %q, %v", m.rows, err)
	}
}
