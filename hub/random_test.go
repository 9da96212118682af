package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lectern-room/lectern/room"
)

// A gatheringStore takes so long to save that commands gather behind it, and
// several go into one entry.
type gatheringStore struct{ room.Store }

func (s gatheringStore) Save(ctx context.Context, step room.Step) error {
	time.Sleep(150 * time.Millisecond)
	return s.Store.Save(ctx, step)
}

// An attendee is one socket of a person, who remembers what it was told.
type attendee struct {
	*client
	user room.UserID
	busy bool // with a request that is not answered
	in   bool
	told message // the state, seat and position that were told last
}

// try sends a request unless another is not answered yet.
func (a *attendee) try(request string) {
	if a.listen(); !a.busy {
		a.busy = true
		a.send(`{"id":0,` + request + `}`)
	}
}

// listen takes in all that has come.
func (a *attendee) listen() {
	for _, m := range a.rest() {
		if m["id"] != nil {
			a.busy = false
		}
		switch m["type"] {
		case "joined":
			a.in, a.told = true, message{"state": "seated", "seat": m["seat"], "position": nil}
		case "waiting_for_seat":
			a.in, a.told = true, message{"state": m["state"], "seat": nil, "position": m["position"]}
		case "your_place":
			a.told = message{"state": m["state"], "seat": m["seat"], "position": m["position"]}
		case "you_were_removed", "left":
			a.in = false
		}
	}
}

// A follower is a watcher who keeps the protocol's rules.
type follower struct {
	*client
	room    string
	version float64
	roster  map[string]any
}

func (f *follower) ask(since ...float64) {
	request := message{"type": "watch", "room_id": f.room}
	if len(since) > 0 {
		request["since"] = since[0]
	}
	m := f.client.ask(request)
	if deltas, ok := m["deltas"].([]any); ok {
		for _, d := range deltas {
			f.apply(d.(map[string]any))
		}
		return
	}
	f.roster, f.version = map[string]any{}, m["version"].(float64)
	for _, e := range m["roster"].([]any) {
		f.roster[e.(map[string]any)["user"].(string)] = e
	}
}

func (f *follower) apply(d message) {
	switch version := d["version"].(float64); {
	case d["from"].(float64) > f.version:
		f.ask(f.version)
		return
	case version <= f.version:
		return
	default:
		f.version = version
	}
	for _, e := range d["joined"].([]any) {
		f.roster[e.(map[string]any)["user"].(string)] = e
	}
	for _, l := range d["left"].([]any) {
		delete(f.roster, l.(map[string]any)["user"].(string))
	}
	for field, online := range map[string]bool{"online": true, "offline": false} {
		for _, u := range d[field].([]any) {
			f.roster[u.(string)].(map[string]any)["online"] = online
		}
	}
}

// TestEveryoneKnowsTheirPlace: whatever people and instructor do, on two
// instances and many of it in one entry, in the end each socket in the room
// has been told the place that its person has, and the watcher has the roster.
func TestEveryoneKnowsTheirPlace(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			inClass(t, func(t *testing.T, c *class) { knowTheirPlaces(t, c, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func knowTheirPlaces(t *testing.T, c *class, random *rand.Rand) {
	c.reg.Store = gatheringStore{c.reg.Store}
	instances := []*class{c, c.beside()}
	lee := &attendee{client: c.instructor("lee")}
	id, code := lee.openWith(2, message{"waitlist": true, "roster": "everyone", "seat_hold_seconds": 20})
	watcher := &follower{client: instances[1].instructor("lee"), room: id}
	watcher.ask()

	people := make([]*attendee, 12)
	come := func(i int) {
		user := room.UserID(fmt.Sprint("s", i/2)) // everyone has two sockets
		people[i] = &attendee{client: instances[random.IntN(2)].student(user), user: user}
	}
	for i := range people {
		come(i)
	}
	for range 300 {
		i := random.IntN(len(people))
		switch dice := random.IntN(20); {
		case dice < 9:
			people[i].try(`"type":"join","code":"` + code + `"`)
		case dice < 12:
			people[i].try(`"type":"leave","room_id":"` + id + `"`)
		case dice < 14:
			people[i].nc.Close()
			come(i)
		default:
			lee.try(leads(random, id, people[i].user))
		}
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		}
		if random.IntN(80) == 0 {
			time.Sleep(40 * time.Second) // whoever is offline loses the place
		}
	}
	time.Sleep(10 * time.Second)

	for _, m := range watcher.rest() {
		if m["type"] == "roster" {
			watcher.apply(m)
		}
	}
	for _, a := range people {
		a.listen()
	}
	instances[1].reg.View(t.Context(), room.ID(id), func(v room.View) {
		for _, a := range people {
			if a.in {
				a.told.check(t, placeMessage(t, v.Room, a.user))
			}
		}
		if got, want := string(mustJSON(watcher.roster)), string(mustJSON(rosterMessage(t, v.Room))); got != want {
			t.Errorf("at version %v of %d the watcher has\n%s, want\n%s", watcher.version, v.Version, got, want)
		}
	})
}

// leads returns something that the instructor may ask.
func leads(random *rand.Rand, id string, user room.UserID) string {
	requests := []string{
		`"type":"admit","all":true`,
		`"type":"admit","user":"` + string(user) + `"`,
		`"type":"remove","user":"` + string(user) + `"`,
		fmt.Sprintf(`"type":"update","capacity":%d`, 1+random.IntN(4)),
		fmt.Sprintf(`"type":"update","options":{"approval":%t}`, random.IntN(2) == 0),
		fmt.Sprintf(`"type":"update","options":{"waitlist":%t}`, random.IntN(4) > 0),
		fmt.Sprintf(`"type":"update","options":{"locked":%t}`, random.IntN(4) == 0),
	}
	return `"room_id":"` + id + `",` + requests[random.IntN(len(requests))]
}

// placeMessage is what a person should have been told.
func placeMessage(t *testing.T, r *room.Room, u room.UserID) (m message) {
	p := r.Member(u)
	if p == nil {
		t.Fatalf("%s has no place, and was not told", u)
	}
	if err := json.Unmarshal(appendPlace(nil, r, p), &m); err != nil {
		t.Fatal(err)
	}
	return message{"state": m["state"], "seat": m["seat"], "position": m["position"]}
}

func rosterMessage(t *testing.T, r *room.Room) map[string]any {
	roster := map[string]any{}
	for _, p := range r.Roster() {
		var e map[string]any
		if err := json.Unmarshal(appendEntry(nil, p), &e); err != nil {
			t.Fatal(err)
		}
		roster[string(p.User)] = e
	}
	return roster
}
