package room_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lectern-room/lectern/room"
	"github.com/lectern-room/lectern/room/roomtest"
)

var attendanceStart = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// second is so many seconds (of any fraction) after the start.
func second(s float64) time.Time {
	return attendanceStart.Add(time.Duration(s * float64(time.Second)))
}

func TestRecordPerson(t *testing.T) {
	const now = 100.0
	seated := room.Person{User: "ann", Name: "Ann", State: room.Seated, Seat: 3, LastSeat: 3, JoinedAt: second(10), FirstJoinedAt: second(10)}
	left := seated
	left.State, left.Seat, left.LeftAt = room.Left, 0, second(60)
	back := seated
	back.JoinedAt, back.LeftAt = second(70), second(60)

	for name, row := range map[string]struct {
		person room.Person
		stays  [][2]float64 // 0: not ended
		want   string
	}{
		"never a socket": {person: seated, want: `
			"last_left_at":null,"present_seconds":0,"rejoins":0,"intervals":[]`},
		"never a socket, left": {person: left, want: `
			"last_left_at":"2026-03-02T09:01:00.000Z","present_seconds":0,"rejoins":0,"intervals":[]`},
		"never a socket, left and back again": {person: back, want: `
			"last_left_at":null,"present_seconds":0,"rejoins":0,"intervals":[]`},
		"there still": {person: seated, stays: [][2]float64{{10, 0}}, want: `
			"last_left_at":null,"present_seconds":90,"rejoins":0,"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":null}]`},
		"gone, not left": {person: seated, stays: [][2]float64{{10, 40.25}}, want: `
			"last_left_at":"2026-03-02T09:00:40.250Z","present_seconds":30,"rejoins":0,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:40.250Z"}]`},
		"gone, then left": {person: left, stays: [][2]float64{{10, 40}}, want: `
			"last_left_at":"2026-03-02T09:00:40.000Z","present_seconds":30,"rejoins":0,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:40.000Z"}]`},
		"back again": {person: seated, stays: [][2]float64{{10, 20}, {30, 0}}, want: `
			"last_left_at":null,"present_seconds":80,"rejoins":1,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:20.000Z"},{"from":"2026-03-02T09:00:30.000Z","to":null}]`},
		"tabs that overlap, touch and hide in one another": {person: seated, stays: [][2]float64{{10, 30}, {12, 14}, {25, 40}, {40, 50}, {51, 52}}, want: `
			"last_left_at":"2026-03-02T09:00:52.000Z","present_seconds":41,"rejoins":1,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:50.000Z"},{"from":"2026-03-02T09:00:51.000Z","to":"2026-03-02T09:00:52.000Z"}]`},
		"an open tab outlasts the rest": {person: seated, stays: [][2]float64{{10, 0}, {20, 30}, {40, 50}}, want: `
			"last_left_at":null,"present_seconds":90,"rejoins":0,"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":null}]`},
		"halves of seconds add up before they are rounded": {person: seated, stays: [][2]float64{{10, 10.5}, {20, 20.5}, {30, 30.75}}, want: `
			"last_left_at":"2026-03-02T09:00:30.750Z","present_seconds":2,"rejoins":2,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:10.500Z"},
				{"from":"2026-03-02T09:00:20.000Z","to":"2026-03-02T09:00:20.500Z"},
				{"from":"2026-03-02T09:00:30.000Z","to":"2026-03-02T09:00:30.750Z"}]`},
		"a socket that came and went": {person: seated, stays: [][2]float64{{10, 10}}, want: `
			"last_left_at":"2026-03-02T09:00:10.000Z","present_seconds":0,"rejoins":0,
			"intervals":[{"from":"2026-03-02T09:00:10.000Z","to":"2026-03-02T09:00:10.000Z"}]`},
		"the future": {person: seated, stays: [][2]float64{{200, 0}}, want: `
			"last_left_at":null,"present_seconds":0,"rejoins":0,"intervals":[{"from":"2026-03-02T09:03:20.000Z","to":null}]`},
	} {
		t.Run(name, func(t *testing.T) {
			h := room.History{People: []*room.Person{&row.person}, Stays: stays("ann", row.stays)}
			sameJSON(t, h.Record(second(now)), `{"people":[{"user":"ann","name":"Ann","guest":false,"seat":3,
				"first_joined_at":"2026-03-02T09:00:10.000Z",`+row.want+`,"status":null,"correction":null}],"timeline":[]}`)
		})
	}
}

func stays(user room.UserID, spans [][2]float64) []room.Stay {
	var all []room.Stay
	for _, span := range spans {
		s := room.Stay{User: user, From: second(span[0])}
		if span[1] != 0 {
			s.To = second(span[1])
		}
		all = append(all, s)
	}
	return all
}

func sameJSON(t *testing.T, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
		t.Errorf("\n got %s\nwant %s", x, y)
	}
}

// TestRecordOrder: by first join, each with the seat held last and only one's
// own stays.
func TestRecordOrder(t *testing.T) {
	h := room.History{
		People: []*room.Person{
			{User: "zoe", Name: "Zoe", State: room.Seated, FirstJoinedAt: second(5), LastSeat: 2},
			{User: "guest:1", Name: "Bob", Guest: true, State: room.Left, FirstJoinedAt: second(1)},
			{User: "ann", Name: "Ann", State: room.Seated, FirstJoinedAt: second(5), LastSeat: 7},
		},
		Stays: slices.Concat(stays("zoe", [][2]float64{{5, 0}}), stays("ann", [][2]float64{{6, 9}}), stays("nobody", [][2]float64{{6, 9}})),
	}
	got := ""
	for _, a := range h.Record(second(10)).People {
		seat := 0
		if a.Seat != nil {
			seat = *a.Seat
		}
		got += fmt.Sprintf("%s %t seat %d %d s; ", a.User, a.Guest, seat, a.PresentSeconds)
	}
	if want := "guest:1 true seat 0 0 s; ann false seat 7 3 s; zoe false seat 2 5 s; "; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestRecordOracle compares with counting second by second.
func TestRecordOracle(t *testing.T) {
	records := 0
	rapid.Check(t, func(t *rapid.T) {
		records++
		now := rapid.IntRange(60, 80).Draw(t, "now")
		present := make([]bool, now) // in the second that begins then
		var spans [][2]float64
		for range rapid.IntRange(0, 8).Draw(t, "stays") {
			from := rapid.IntRange(1, 50).Draw(t, "from")
			to := from + rapid.IntRange(1, 9).Draw(t, "length")
			here := rapid.IntRange(0, 9).Draw(t, "there still") == 0
			if here {
				to = 0
			}
			spans = append(spans, [2]float64{float64(from), float64(to)})
			for s := from; s < now && (here || s < to); s++ {
				present[s] = true
			}
		}
		seconds, begins := 0, 0
		for s, here := range present {
			if here {
				seconds++
				if !present[s-1] {
					begins++
				}
			}
		}

		h := room.History{People: []*room.Person{{User: "ann", State: room.Seated}}, Stays: stays("ann", spans)}
		a := h.Record(second(float64(now))).People[0]
		if a.PresentSeconds != seconds || len(a.Intervals) != begins || a.Rejoins != max(0, begins-1) || a.LastLeftAt.IsZero() != (begins == 0 || present[now-1]) {
			t.Fatalf("%d s in %d intervals, %d rejoins, left at %v; want %d s in %d", a.PresentSeconds, len(a.Intervals), a.Rejoins, a.LastLeftAt, seconds, begins)
		}
	})
	roomtest.Proved(t, "%d random records equal a count of their seconds", records)
}

func TestTimeline(t *testing.T) {
	points := func(n int, every time.Duration, taken func(i int) int) []room.Point {
		all := make([]room.Point, n)
		for i := range all {
			all[i] = room.Point{At: attendanceStart.Add(time.Duration(i) * every), Taken: taken(i), Online: 5}
		}
		return all
	}
	flat := func(int) int { return 3 }
	spike := func(i int) int {
		switch i {
		case 7_777:
			return 400
		case 8_888:
			return 1
		}
		return 3
	}
	for name, row := range map[string]struct {
		points  []room.Point
		atMost  int
		atLeast int
		has     []int // indexes of points that must be there
	}{
		"nothing":              {nil, 0, 0, nil},
		"one":                  {points(1, time.Second, flat), 1, 1, []int{0}},
		"few":                  {points(50, time.Second, flat), 50, 50, []int{0, 25, 49}},
		"within one second":    {points(900, time.Millisecond, flat), 2, 2, []int{0, 899}},
		"ten a second":         {points(1000, 100*time.Millisecond, flat), 101, 100, []int{0, 9, 19, 999}},
		"a day, every second":  {points(86_400, time.Second, spike), 2000, 1800, []int{0, 7_777, 8_888, 86_399}},
		"a week, now and then": {points(1999, 5*time.Minute, flat), 1999, 1000, []int{0, 1998}},
		"a storm, then calm":   {append(points(20_000, time.Millisecond, spike), room.Point{At: second(604_800)}), 2000, 3, []int{0, 7_777, 20_000}},
	} {
		t.Run(name, func(t *testing.T) {
			h := room.History{Points: row.points}
			got := h.Record(second(0)).Timeline
			if len(got) > row.atMost || len(got) < row.atLeast {
				t.Errorf("%d points, want %d to %d", len(got), row.atLeast, row.atMost)
			}
			for _, i := range row.has {
				want := row.points[i]
				if !slices.Contains(got, room.TimelinePoint{At: room.Timestamp{Time: want.At}, Taken: want.Taken, Online: want.Online}) {
					t.Errorf("point %d is missing", i)
				}
			}
			if !slices.IsSortedFunc(got, func(a, b room.TimelinePoint) int { return a.At.Compare(b.At.Time) }) {
				t.Error("the points are not in order")
			}
		})
	}
}

func TestStamp(t *testing.T) {
	east := time.FixedZone("", 9*3600)
	for want, at := range map[string]time.Time{
		"2026-03-02T09:00:00.000Z": time.Date(2026, 3, 2, 18, 0, 0, 0, east),
		"2026-03-02T09:00:00.120Z": attendanceStart.Add(120_999 * time.Microsecond),
	} {
		if got := room.Stamp(at); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
