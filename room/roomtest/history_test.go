package roomtest

import (
	"testing"

	"github.com/lectern-room/lectern/room"
)

// Of rooms of one or two seats: what may have happened in them, and what not.
func TestIllegal(t *testing.T) {
	const join, leave, remove = room.CommandJoin, room.CommandLeave, room.CommandRemove
	full := Answer{Code: room.CodeRoomFull}
	for name, test := range map[string]struct {
		seats   int
		legal   bool
		happens func(h *History)
	}{
		"one after the other": {2, true, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1, Version: 2})
			h.Ask(join, "ben")(Answer{Seat: 2, Version: 3})
			h.Ask(join, "cid")(full)
			h.Ask(join, "ann")(Answer{Seat: 1, Already: true, Version: 5})
			h.Ask(leave, "ann")(Answer{Version: 6})
			h.Ask(remove, "ann")(Answer{Version: 7})
			h.Ask(join, "cid")(Answer{Seat: 1, Version: 8})
			h.Look(map[int]room.UserID{1: "cid", 2: "ben"})
		}},
		"at the same time": {1, true, func(h *History) {
			first, second := h.Ask(join, "ann"), h.Ask(join, "ben")
			first(full)
			second(Answer{Seat: 1})
		}},
		"in one version": {2, true, func(h *History) {
			first, second := h.Ask(join, "ann"), h.Ask(join, "ben")
			first(Answer{Seat: 2, Version: 2})
			second(Answer{Seat: 1, Version: 2})
		}},
		"oversold": {1, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1})
			h.Ask(join, "ben")(Answer{Seat: 2})
		}},
		"one seat twice": {2, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1})
			h.Ask(join, "ben")(Answer{Seat: 1})
		}},
		"not the lowest": {2, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 2})
		}},
		"full without reason": {2, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1})
			h.Ask(join, "ben")(full)
		}},
		"already without reason": {2, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1, Already: true})
		}},
		"lost": {1, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1})
			h.Look(nil)
		}},
		"undone": {1, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1})
			h.Ask(leave, "ann")(Answer{})
			h.Look(map[int]room.UserID{1: "ann"})
		}},
		"versions go back": {2, false, func(h *History) {
			h.Ask(join, "ann")(Answer{Seat: 1, Version: 3})
			h.Ask(join, "ben")(Answer{Seat: 2, Version: 2})
		}},
		"not known, and never done": {1, true, func(h *History) {
			h.Ask(join, "ann")(Answer{Unknown: true})
			h.Ask(join, "ben")(Answer{Seat: 1})
			h.Look(map[int]room.UserID{1: "ben"})
		}},
		"not known, and done later": {1, true, func(h *History) {
			h.Ask(join, "ann")
			h.Ask(join, "ben")(Answer{Seat: 1})
			h.Ask(leave, "ben")(Answer{})
			h.Ask(join, "ben")(full)
			h.Look(map[int]room.UserID{1: "ann"})
		}},
		"not known, and done twice": {1, false, func(h *History) {
			h.Ask(join, "ann")
			h.Ask(join, "ben")(full)
			h.Ask(remove, "ann")(Answer{})
			h.Ask(join, "ben")(full)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := &History{Capacity: test.seats}
			test.happens(h)
			if illegal := h.Illegal(); (illegal == "") != test.legal {
				t.Errorf("it is %s", illegal)
			}
		})
	}
}
