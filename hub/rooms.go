package hub

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

func (a *api) addRoomCalls() {
	lead := func(typ, method, path, summary, description string, body any, codes ...room.Code) {
		answer(a, operation{
			Operation: huma.Operation{
				OperationID: typ + "Room", Method: method, Path: path, Tags: []string{"rooms"}, Summary: summary,
				Description: description + " For the room's instructor; sent twice, it changes nothing more.", Parameters: []*huma.Param{roomParameter},
			},
			Type: typ, Body: body, Codes: append(codes, room.CodeNotFound),
		}, a.leadRoom)
	}
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "openRoom", Method: http.MethodPost, Path: "/v1/rooms", DefaultStatus: http.StatusCreated, Tags: []string{"rooms"},
			Summary:     "Open a room",
			Description: "For instructors. With a key the same call may be sent again: it answers 200 and the same room. An instructor who has as many rooms open as is allowed hears `already_open`, with the `room_id` of one.",
			Parameters: []*huma.Param{{
				Name: "Idempotency-Key", In: "header", Description: "At most 64 bytes, the caller's choice.", Schema: &huma.Schema{Type: huma.TypeString},
			}},
		},
		Type: "open", Also: []int{http.StatusOK}, Body: openBody{}, Codes: []room.Code{room.CodeAlreadyOpen},
	}, a.openRoom)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "listRooms", Method: http.MethodGet, Path: "/v1/rooms", Tags: []string{"rooms"},
			Summary: "List one's own rooms", Description: "The rooms that the caller opened, closed ones too, newest first.",
			Parameters: []*huma.Param{limitParameter, cursorParameter},
		},
	}, a.listRooms)
	answer(a, operation{
		Operation: huma.Operation{
			OperationID: "getRoom", Method: http.MethodGet, Path: "/v1/rooms/{id}", Tags: []string{"rooms"},
			Summary:     "Look at a room",
			Description: "For the room's instructor, who also gets the room's passport, for its members, and for whoever has that passport. To others there is no such room.",
			Parameters:  []*huma.Param{roomParameter, invitationParameter},
		},
		Codes: []room.Code{room.CodeNotFound},
	}, a.getRoom)
	lead("update", http.MethodPatch, "/v1/rooms/{id}", "Change a room",
		"Sets what is given and leaves the rest. A room that has started cannot be scheduled again (`conflict`, field `starts_at`). `room_passport` is answered if the join code is new. Only `new_code` is done again each time.",
		updateBody{}, room.CodeConflict, room.CodeRoomClosed)
	lead("start", http.MethodPost, "/v1/rooms/{id}/start", "Start a room", "Opens a scheduled room now.", nil, room.CodeRoomClosed)
	lead("close", http.MethodPost, "/v1/rooms/{id}/close", "Close a room", "Ends everyone's stay; the record remains.", nil)
}

type roomAnswer struct {
	Room         roomObject `json:"room"`
	RoomPassport *string    `json:"room_passport" doc:"An invitation to the room, for its instructor."`
}

func (a *api) openRoom(c *call) (int, roomAnswer, error) {
	if key := c.r.Header.Get("Idempotency-Key"); key != "" {
		c.Key = key
	}
	h, already, err := a.open(c.r.Context(), c.passport.Caller, &c.request)
	if err != nil {
		return 0, roomAnswer{}, err
	}
	status := http.StatusCreated
	if already {
		status = http.StatusOK
	}
	c.w.Header().Set("Location", "/v1/rooms/"+string(h.ID))
	return status, roomAnswer{objectOf(h, true), a.invitation(h)}, nil
}

func (a *api) listRooms(c *call) (status int, rooms list[roomObject], err error) {
	p, err := c.page(func(key string) bool {
		_, err := checkRoomID(key)
		return err == nil
	})
	if err != nil {
		return 0, rooms, err
	}
	var headers []room.Header
	if c.passport.Role == room.Instructor {
		headers, err = archived(a, c, "list rooms", func(ctx context.Context) ([]room.Header, error) {
			return a.Archive.Rooms(ctx, c.passport.User, room.ID(p.after), p.limit+1)
		})
	}
	objects := make([]roomObject, len(headers))
	for i := range headers {
		objects[i] = objectOf(&headers[i], true)
	}
	return http.StatusOK, cut(p, objects, func(o roomObject) string { return string(o.ID) }), err
}

func (a *api) getRoom(c *call) (int, roomAnswer, error) {
	var got roomAnswer
	caller := c.passport.Caller
	err := a.look(c, func(r *room.Room) bool {
		return r.LedBy(caller) || r.Member(caller.User) != nil || invited(c.invite, r)
	}, func(r *room.Room) {
		got.Room = objectOf(&r.Header, seesCode(r, caller))
		if r.LedBy(caller) {
			got.RoomPassport = a.invitation(&r.Header)
		}
	})
	return http.StatusOK, got, err
}

// invited tells whether a room passport is one of the room's, and not void.
func invited(i *room.Invitation, r *room.Room) bool {
	return i != nil && i.Room == r.ID && i.Renewals == r.Renewals && r.Status != room.Closed
}

// leadRoom answers updates, starts and closings.
func (a *api) leadRoom(c *call) (status int, led roomAnswer, err error) {
	command, err := c.lead()
	if err != nil {
		return 0, led, err
	}
	err = a.do(c, command, func(o room.Outcome) {
		led.Room = objectOf(&o.Room.Header, true)
		if c.NewCode {
			led.RoomPassport = a.invitation(&o.Room.Header)
		}
	})
	return http.StatusOK, led, err
}
