package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/lectern-room/lectern/room"
)

const (
	// widestName leaves room for four columns on a terminal of 100.
	widestName = 18
	// columnGap is between two columns.
	columnGap = 3
	// What a terminal without a size is taken for.
	usualWidth, usualHeight = 80, 24
)

// Moves of the cursor and erasures (ECMA-48). The cursor stays visible and
// nothing else is set, so that there is nothing to restore.
const (
	cursorUp    = "\x1b[%dA\r"
	eraseLine   = "\x1b[K"
	eraseBelow  = "\x1b[J"
	cursorHome  = "\x1b[H"
	eraseScreen = "\x1b[2J"
)

// A screen is the display for people: the roster as it is, drawn over itself.
type screen struct {
	out           io.Writer
	size          func() (width, height int)
	cells         runewidth.Condition
	width, height int // when it was drawn last
	drawn         int // lines
	dirty         bool
	trouble       string
}

func newScreen(file *os.File) *screen {
	return &screen{out: file, size: func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil || width < 1 || height < 1 {
			return usualWidth, usualHeight
		}
		return width, height
	}}
}

func (s *screen) hear(_ *follower, _ []byte, _ *watchMessage, _ []change) error {
	s.dirty, s.trouble = true, ""
	return nil
}

func (s *screen) note(text string) { s.dirty, s.trouble = true, text }

func (s *screen) over(f *follower, why room.Reason) error {
	s.dirty, s.trouble = true, closingOf(why)
	return s.refresh(f)
}

// refresh draws what has changed, or all of it if the terminal has.
func (s *screen) refresh(f *follower) error {
	width, height := s.size()
	resized := width != s.width || height != s.height
	if f.room.ID == "" || f.roster.pages != nil || !s.dirty && !resized {
		return nil
	}
	var text strings.Builder
	switch {
	case s.drawn == 0:
	case resized: // nobody can tell what it made of the old lines
		text.WriteString(cursorHome + eraseScreen)
	default:
		fmt.Fprintf(&text, cursorUp, s.drawn)
	}
	s.width, s.height, s.dirty = width, height, false
	page := s.page(f)
	for _, l := range page {
		// One column stays free: where the last is written, some terminals
		// begin a line.
		text.WriteString(s.cells.Truncate(strings.TrimRight(l, " "), max(1, width-1), "~") + eraseLine + "\n")
	}
	text.WriteString(eraseBelow)
	s.drawn = len(page)
	_, err := io.WriteString(s.out, text.String())
	return err
}

// page is what is shown, in no more lines than there are.
func (s *screen) page(f *follower) []string {
	words := append(headOf(&f.room), countsOf(f)...)
	words[len(words)-1] += " (*)" // as they are marked
	page := append(s.wrap(words), "")
	var end []string
	if s.trouble != "" {
		end = []string{"", s.trouble}
	}
	blocks := []*block{
		{people: f.roster.in(room.Seated)},
		{people: f.roster.in(room.Waiting), title: "waiting in line"},
		{people: f.roster.in(room.Pending), title: "waiting to be admitted"},
	}
	space := s.height - 1 - len(page) - len(end)
	for i, b := range blocks {
		// Of what is left each block may take all but what the next ones need,
		// of which they get three lines or a quarter.
		left := space
		for _, next := range blocks[i+1:] {
			left -= min(s.lines(next), max(3, space/4))
		}
		drawn := s.draw(b, left)
		page, space = append(page, drawn...), space-len(drawn)
	}
	page = append(page, end...)
	return page[:min(len(page), max(1, s.height-1))]
}

// wrap puts words on as few lines as it takes.
func (s *screen) wrap(words []string) []string {
	lines := words[:1:1]
	for _, word := range words[1:] {
		last := &lines[len(lines)-1]
		if longer := *last + "   " + word; s.cells.StringWidth(longer) < s.width {
			*last = longer
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// A block is people in columns, from top to bottom, under a title.
type block struct {
	title  string // none: the seated, numbered by seat
	people []seatEntry
}

func (b *block) number(i int) int {
	if b.title == "" {
		return b.people[i].Seat
	}
	return i + 1
}

// sizes are the widths of a block's numbers and names, and how many columns
// there is room for.
func (s *screen) sizes(b *block) (digits, name, columns int) {
	digits, name = len(strconv.Itoa(b.number(len(b.people)-1))), 1
	for _, e := range b.people {
		name = max(name, min(widestName, s.cells.StringWidth(plain(e.Name))))
	}
	return digits, name, max(1, (s.width-1+columnGap)/(digits+3+name+columnGap))
}

// lines is how many a whole block takes.
func (s *screen) lines(b *block) int {
	if len(b.people) == 0 {
		return 0
	}
	_, _, columns := s.sizes(b)
	rows := (len(b.people) + columns - 1) / columns
	if b.title != "" {
		rows += 2
	}
	return rows
}

// draw shows as much of a block as there is space for, and says how many are
// left out.
func (s *screen) draw(b *block, space int) (drawn []string) {
	whole := s.lines(b)
	if whole == 0 || space < 1 {
		return nil
	}
	rows := whole
	if b.title != "" {
		drawn, rows, space = []string{"", b.title}, rows-2, space-2
	}
	digits, widest, columns := s.sizes(b)
	shown := len(b.people)
	if rows > space {
		rows = max(0, space-1)
		shown = rows * columns
	}
	grid := make([]string, rows)
	for i, e := range b.people[:shown] {
		mark := " "
		if e.Online {
			mark = "*"
		}
		name := s.cells.FillRight(s.cells.Truncate(plain(e.Name), widest, "~"), widest+columnGap)
		grid[i%rows] += fmt.Sprintf("%*d %s %s", digits, b.number(i), mark, name)
	}
	drawn = append(drawn, grid...)
	if shown < len(b.people) {
		drawn = append(drawn, fmt.Sprintf("... and %d more", len(b.people)-shown))
	}
	return drawn
}
