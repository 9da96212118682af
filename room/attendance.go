package room

import (
	"cmp"
	"slices"
	"time"
)

// timelinePoints bounds a record's timeline: more than a wide screen has
// columns to draw it in.
const timelinePoints = 2_000

// A Record is a room's attendance: who was there, from when to when, and how
// full the room was.
type Record struct {
	People   []Attendance    `json:"people"` // in the order in which they first joined
	Timeline []TimelinePoint `json:"timeline"`
}

// An Attendance is one person's part of a Record.
type Attendance struct {
	User           UserID     `json:"user"`
	Name           string     `json:"name"`
	Guest          bool       `json:"guest"`
	Seat           *int       `json:"seat"` // the one held last
	FirstJoinedAt  Timestamp  `json:"first_joined_at"`
	LastLeftAt     Timestamp  `json:"last_left_at"` // zero while the person is there
	PresentSeconds int        `json:"present_seconds"`
	Rejoins        int        `json:"rejoins"`
	Intervals      []Interval `json:"intervals"`
	// Status is the correction's or what the room's policy makes of it; nil:
	// there is neither.
	Status     *AttendanceStatus `json:"status" enum:"present,late,left_early,absent"`
	Correction *Correction       `json:"correction"`
}

// An Interval is a time without a break during which a person had at least
// one socket in the room.
type Interval struct {
	From Timestamp `json:"from"`
	To   Timestamp `json:"to"` // zero: the person is there still
}

// A TimelinePoint is how full the room was from a time on.
type TimelinePoint struct {
	At     Timestamp `json:"at"`
	Taken  int       `json:"taken"`
	Online int       `json:"online_count"`
}

// Record returns the room's attendance up to now.
func (h *History) Record(now time.Time) Record {
	stays := make(map[UserID][]Stay, len(h.People))
	for _, s := range h.Stays {
		stays[s.User] = append(stays[s.User], s)
	}
	r := Record{People: make([]Attendance, 0, len(h.People)), Timeline: timeline(h.Points)}
	for _, p := range h.People {
		a := p.attendance(stays[p.User], now)
		if a.Status = h.Room.judge(&a, now); p.Correction != nil {
			a.Status = &p.Correction.Status
		}
		r.People = append(r.People, a)
	}
	slices.SortFunc(r.People, func(a, b Attendance) int {
		return cmp.Or(a.FirstJoinedAt.Compare(b.FirstJoinedAt.Time), cmp.Compare(a.User, b.User))
	})
	return r
}

func (p *Person) attendance(stays []Stay, now time.Time) Attendance {
	a := Attendance{
		User: p.User, Name: p.Name, Guest: p.Guest,
		FirstJoinedAt: Timestamp{p.FirstJoinedAt}, Intervals: intervals(stays),
		Correction: p.Correction,
	}
	if p.LastSeat > 0 {
		a.Seat = &p.LastSeat
	}
	var present time.Duration
	for _, i := range a.Intervals {
		present += i.length(now)
	}
	a.PresentSeconds = wholeSeconds(present)
	switch n := len(a.Intervals); {
	case n > 0:
		a.Rejoins, a.LastLeftAt = n-1, a.Intervals[n-1].To
	case !p.State.Member():
		a.LastLeftAt = Timestamp{p.LeftAt}
	}
	return a
}

// intervals merges stays that overlap or touch.
func intervals(stays []Stay) []Interval {
	stays = slices.SortedFunc(slices.Values(stays), func(a, b Stay) int { return a.From.Compare(b.From) })
	merged := []Interval{}
	for _, s := range stays {
		i := Interval{From: Timestamp{s.From}, To: Timestamp{s.To}}
		if len(merged) == 0 || !merged[len(merged)-1].reaches(s.From) {
			merged = append(merged, i)
			continue
		}
		last := &merged[len(merged)-1]
		if i.To.IsZero() || !last.reaches(s.To) {
			last.To = i.To
		}
	}
	return merged
}

// reaches tells whether the interval lasts until t at least.
func (i Interval) reaches(t time.Time) bool { return i.To.IsZero() || !t.After(i.To.Time) }

func (i Interval) length(now time.Time) time.Duration {
	end := i.To.Time
	if i.To.IsZero() {
		end = now
	}
	return max(0, end.Sub(i.From.Time))
}

// timeline thins points so far that there is at most one a second and they
// are not too many. The first, the last and the extremes always stay.
func timeline(points []Point) []TimelinePoint {
	kept := landmarks(points)
	width := time.Second
	if n := len(points); n > 0 {
		span := points[n-1].At.Sub(points[0].At)
		width = max(width, span/time.Duration(timelinePoints-len(kept))+1)
	}
	thin := []TimelinePoint{}
	for i, p := range points {
		// Of each stretch of time, the state in which it ended.
		last := i+1 == len(points) || stretch(points, i, width) != stretch(points, i+1, width)
		if last || kept[i] {
			thin = append(thin, TimelinePoint{At: Timestamp{p.At}, Taken: p.Taken, Online: p.Online})
		}
	}
	return thin
}

func stretch(points []Point, i int, width time.Duration) time.Duration {
	return points[i].At.Sub(points[0].At) / width
}

// landmarks returns the indexes of the first point and of the extremes.
func landmarks(points []Point) map[int]bool {
	if len(points) == 0 {
		return nil
	}
	var mostTaken, leastTaken, mostOnline, leastOnline int
	for i, p := range points {
		if p.Taken > points[mostTaken].Taken {
			mostTaken = i
		}
		if p.Taken < points[leastTaken].Taken {
			leastTaken = i
		}
		if p.Online > points[mostOnline].Online {
			mostOnline = i
		}
		if p.Online < points[leastOnline].Online {
			leastOnline = i
		}
	}
	return map[int]bool{0: true, mostTaken: true, leastTaken: true, mostOnline: true, leastOnline: true}
}
