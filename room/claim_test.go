package room_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lectern-room/lectern/room"
)

func logic() room.Change { return room.Change{Title: new("Logic"), Capacity: new(9)} }

// The same key is the same room, whoever is first and whatever became of it;
// another instructor's is another.
func TestOpenKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		instances := []*instance{h.instance(t, "i1"), h.instance(t, "i2")}
		h.faults(slow(10*time.Millisecond), nil)
		const askers = 20
		type answer struct {
			id      room.ID
			already bool
			err     error
		}
		answers := make(chan answer)
		for n := range askers {
			go func() {
				id, already, err := instances[n%2].Open(t.Context(), kim, logic(), "monday")
				answers <- answer{id, already, err}
			}()
		}
		ids, fresh := map[room.ID]bool{}, 0
		for range askers {
			a := <-answers
			if ids[a.id] = true; a.err != nil {
				t.Error(a.err)
			}
			if !a.already {
				fresh++
			}
		}
		if len(ids) != 1 || fresh != 1 || len(h.rooms) != 1 {
			t.Errorf("%d rooms, %d answered, %d of them as opened now", len(h.rooms), len(ids), fresh)
		}

		lee := room.Caller{User: "lee", Name: "Lee", Role: room.Instructor}
		if id, already, err := instances[0].Open(t.Context(), lee, logic(), "monday"); err != nil || already || ids[id] {
			t.Errorf("another instructor: room %s, already %t, error %v", id, already, err)
		}
		for id := range ids {
			instances[0].must(room.Command{Type: room.CommandClose, Room: id, By: kim})
		}
		if id, already, err := instances[1].Open(t.Context(), kim, logic(), "monday"); err != nil || !already || !ids[id] {
			t.Errorf("after the close: room %s, already %t, error %v", id, already, err)
		}
	})
}

// An instructor has so many rooms at a time; closing one makes place for
// another, and its code is nobody's.
func TestOpenSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		i.RoomsPerInstructor = 2
		open := func(by room.UserID) (room.ID, error) {
			id, _, err := i.Open(t.Context(), room.Caller{User: by, Role: room.Instructor}, logic(), "")
			return id, err
		}
		first, err1 := open("kim")
		second, err2 := open("kim")
		if err1 != nil || err2 != nil || first == second {
			t.Fatalf("opened %s and %s, errors %v and %v", first, second, err1, err2)
		}
		var refusal *room.Refusal
		if _, err := open("kim"); !errors.As(err, &refusal) || refusal.Code != room.CodeAlreadyOpen || refusal.Room != first && refusal.Room != second {
			t.Errorf("a third: %v, in the way is %+v", err, refusal)
		}
		if _, err := open("lee"); err != nil {
			t.Errorf("another instructor: %v", err)
		}

		code := i.header(first).Code
		if id, err := i.Resolve(t.Context(), code); id != first || err != nil {
			t.Errorf("the code is that of %s, error %v", id, err)
		}
		i.must(room.Command{Type: room.CommandClose, Room: first, By: kim})
		if id, err := i.Resolve(t.Context(), code); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("the code of a closed room is that of %s, error %v", id, err)
		}
		if _, err := open("kim"); err != nil {
			t.Errorf("after a close: %v", err)
		}
		if _, err := open("kim"); !errors.Is(err, room.ErrAlreadyOpen) {
			t.Errorf("a third again: %v", err)
		}
	})
}

// A slot is given up by the room that held it, however many there are by then.
func TestSlotsOfASettingThatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		two := h.instance(t, "i1")
		two.RoomsPerInstructor = 2
		first, _ := two.opened(3)
		second, _ := two.opened(3)
		one := h.instance(t, "i2")
		one.must(room.Command{Type: room.CommandClose, Room: first, By: kim})
		one.must(room.Command{Type: room.CommandClose, Room: second, By: kim})
		two.opened(3)
		two.opened(3)
	})
}

// A join code that another room has is passed over, when a room is opened and
// when its code is renewed.
func TestCodeCollides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		var claims []string // as tried
		taken := func(step room.Step, save func() error) error {
			for _, claim := range step.Claim {
				if strings.HasPrefix(claim, "code:") {
					if claims = append(claims, claim); len(claims) < 4 {
						return &room.Claimed{Key: claim, Holder: "other"}
					}
				}
			}
			return save()
		}
		check := func(code string) {
			t.Helper()
			seen := map[string]bool{}
			for _, claim := range claims {
				seen[claim] = true
			}
			if len(seen) != 4 || claims[3] != "code:"+code {
				t.Errorf("tried %v, the code is %s", claims, code)
			}
			claims = nil
		}
		h.faults(nil, taken)
		id, first := i.opened(9)
		check(first)

		renew := room.Command{Type: room.CommandUpdate, Room: id, By: kim, Change: &room.Change{Code: room.NewCode()}}
		i.must(renew)
		second := i.header(id).Code
		check(second)
		if got := renew.Change.Code; got == second {
			t.Error("the command of the caller was changed")
		}
		if _, err := i.Resolve(t.Context(), first); !errors.Is(err, room.ErrNotFound) {
			t.Errorf("the old code: %v", err)
		}
		if got, err := i.Resolve(t.Context(), second); got != id || err != nil {
			t.Errorf("the new code is that of %s, error %v", got, err)
		}
	})
}

// Codes that are renewed twice at once, or just before the close, are given
// up as well.
func TestCodesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		id, first := i.opened(9)
		codes := []string{first, "00000001", "00000002", "00000003"}
		renew := func(code string) {
			i.Ask(room.Command{Type: room.CommandUpdate, Room: id, By: kim, Change: &room.Change{Code: code}}, nil)
		}
		h.faults(slow(time.Millisecond), nil)
		renew(codes[1])
		renew(codes[2])
		time.Sleep(time.Second)
		if got, err := i.Resolve(t.Context(), codes[2]); got != id || err != nil {
			t.Errorf("the last code is that of %s, error %v", got, err)
		}
		renew(codes[3])
		i.Ask(room.Command{Type: room.CommandClose, Room: id, By: kim}, nil)
		time.Sleep(time.Second)
		for _, code := range codes {
			if got, err := i.Resolve(t.Context(), code); !errors.Is(err, room.ErrNotFound) {
				t.Errorf("code %s is that of %s, error %v", code, got, err)
			}
		}
		h.log(t, id)
	})
}

// An answer that is lost leaves the room opened once, and a store that is
// away is told of in time.
func TestOpenFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		i := h.instance(t, "i1")
		lost := 0
		h.faults(nil, func(_ room.Step, save func() error) error {
			err := save()
			if lost++; lost < 4 {
				return room.ErrUnknown
			}
			return err
		})
		id, already, err := i.Open(t.Context(), kim, logic(), "")
		if err != nil || already || len(h.log(t, id)) != 1 {
			t.Errorf("room %s, already %t, error %v", id, already, err)
		}
		for name, gate := range map[string]func(context.Context) error{
			"hangs":   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"refuses": func(context.Context) error { return errors.New("connection refused") },
		} {
			h.faults(gate, nil)
			asked := time.Now()
			_, _, err := i.Open(t.Context(), kim, logic(), "tuesday")
			if took := time.Since(asked); !errors.Is(err, room.ErrUnavailable) || took > 2500*time.Millisecond {
				t.Errorf("the store %s: %v after %v", name, err, took)
			}
		}
	})
}
