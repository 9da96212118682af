// Package roomtest checks what people were answered, on whatever instances and
// through whatever faults, against a room that is nothing but its seats.
package roomtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lectern-room/lectern/room"
)

// An Answer is what came of a request: a refusal's code, or else a seat for
// whoever joined, and the version that it was decided in, 0 where none is told.
type Answer struct {
	Unknown bool // nobody knows whether it was done, or will be
	Code    room.Code
	Seat    int
	Already bool
	Version int64
}

// A request is a join, a leave or a removal, and whose place it is about; of
// type looked it is a look at who has which seat.
type request struct {
	asks room.CommandType
	user room.UserID
}

const looked room.CommandType = "look"

// A History is what one room was asked and what it answered. It is safe for
// concurrent use.
type History struct {
	Capacity int // at most MaxSeats

	mu    sync.Mutex // guards the next two
	steps int64      // counts requests and answers: a clock that knows no ties
	asked []porcupine.Operation
}

// Ask notes that someone joins, leaves or is removed, which begins now. It
// returns what notes the answer; until that is called, the answer is unknown.
func (h *History) Ask(asks room.CommandType, user room.UserID) func(Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps++
	n := len(h.asked)
	h.asked = append(h.asked, porcupine.Operation{
		ClientId: n, Input: request{asks, user}, Call: h.steps, Output: Answer{Unknown: true}, Return: math.MaxInt64,
	})
	return func(a Answer) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.steps++
		if !a.Unknown { // else it may be done at any time, or never: after all the rest
			h.asked[n].Output, h.asked[n].Return = a, h.steps
		}
	}
}

// Look notes who has a seat, by seat number, as the store has it now.
func (h *History) Look(stored map[int]room.UserID) {
	var s seating
	for seat, user := range stored {
		s.holders[seat-1] = user
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps += 2
	h.asked = append(h.asked, porcupine.Operation{
		ClientId: len(h.asked), Input: request{asks: looked}, Call: h.steps - 1, Output: s, Return: h.steps,
	})
}

// Count returns how many requests were made, and of how many the outcome is
// unknown.
func (h *History) Count() (requests, unknown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.asked {
		if o.Return == math.MaxInt64 {
			unknown++
		}
	}
	return len(h.asked), unknown
}

// checkTime is a thousand times what checking a history takes.
const checkTime = 30 * time.Second

// Illegal returns the history if no room that did one thing after the other
// could have given its answers, else "".
func (h *History) Illegal() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	model := porcupine.Model{
		Init: func() any { return seating{} },
		Step: func(state, input, output any) (bool, any) {
			return state.(seating).step(h.Capacity, input.(request), output)
		},
	}
	if result := porcupine.CheckOperationsTimeout(model, h.asked, checkTime); result != porcupine.Ok {
		return fmt.Sprintf("%s, a room of %d seats:\n%s", strings.ToLower(string(result)), h.Capacity, h.story())
	}
	return ""
}

// story is one line a request, in order of asking.
func (h *History) story() string {
	var b strings.Builder
	for _, o := range slices.SortedFunc(slices.Values(h.asked), func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) }) {
		r := o.Input.(request)
		if o.Return == math.MaxInt64 {
			fmt.Fprintf(&b, "%4d-     %s %s: unknown\n", o.Call, r.asks, r.user)
			continue
		}
		fmt.Fprintf(&b, "%4d-%-4d %s %s: %v\n", o.Call, o.Return, r.asks, r.user, o.Output)
	}
	return b.String()
}
