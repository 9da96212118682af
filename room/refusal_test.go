package room

import (
	"errors"
	"fmt"
	"testing"
)

// A refusal that is logged and read again says the same as it did at first.
func TestAnswerErr(t *testing.T) {
	for _, want := range []*Refusal{
		ErrForbidden, ErrNotStudent, ErrNoGuests, ErrBanned, ErrNotFound, ErrFull,
		ErrLocked, ErrNotStarted, ErrConflict, ErrClosed,
	} {
		if got := (Answer{Code: want.Code, Field: want.Field}).Err(); got != error(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if err := (Answer{}).Err(); err != nil {
		t.Errorf("what was done is an error: %v", err)
	}
	checkRefusal(t, Answer{Code: CodeBadRequest, Field: "type"}.Err(), BadField("type", ""))
}

func TestRefusal(t *testing.T) {
	wrapped := fmt.Errorf("step: %w", ErrAlreadyOpen.In("r1"))
	if !errors.Is(wrapped, ErrAlreadyOpen) || errors.Is(wrapped, ErrFull) || ErrAlreadyOpen.Room != "" {
		t.Errorf("%v is one of %v", wrapped, ErrAlreadyOpen)
	}
	for err, want := range map[error]string{
		ErrFull:                 "room_full: every seat is taken",
		BadField("title", "so"): "bad_request: title: so",
		&Claimed{"code:X", "r"}: "the name code:X is taken by room r",
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}
