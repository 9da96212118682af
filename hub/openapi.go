package hub

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lectern-room/lectern/room"
)

const apiDescription = `Lecture rooms over HTTP. What happens live is on the WebSocket at ` + "`/v1/socket`" + ` (subprotocol ` + "`lectern.v1`" + `); everything else can be asked here, with the same passports, rules and codes.

Ids are strings. Times are RFC 3339, UTC, with milliseconds. A field that does not apply is null. New optional fields may be added: ignore those that you do not know.

Errors are RFC 9457 problems (` + "`application/problem+json`" + `) with a ` + "`code`" + `. After 429 and 503, wait for as long as Retry-After says; after 503 the same request may safely be sent again.`

// described is huma's configuration: the description alone. Documents and
// their reader are served elsewhere.
func described(version string) huma.Config {
	c := huma.DefaultConfig("Lectern", version)
	c.Info.Description = apiDescription
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema in answers
	c.AllowAdditionalPropertiesByDefault = true
	c.Tags = []*huma.Tag{
		{Name: "rooms", Description: "Opening and leading rooms, for instructors."},
		{Name: "people", Description: "Taking and giving up places, and who is in a room."},
		{Name: "attendance", Description: "Who was there, from when to when."},
		{Name: "passports", Description: "Who the caller is."},
		{Name: "operation", Description: "For balancers and programs."},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {
			Type: "http", Scheme: "bearer", BearerFormat: "JWT",
			Description: "A user passport: a signed JWT, or one nested in a JWE, with sub, role, exp, aud and, if wanted, name.",
		},
		"gateway": {Type: "apiKey", In: "header", Name: "X-User-ID", Description: "The same, as a gateway sets it. It counts before the others."},
		"guest": {
			Type: "apiKey", In: "cookie", Name: guestCookie,
			Description: "Set by guest sign-in. It counts only for pages of an allowed Origin, or of the same origin for GET.",
		},
	}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[room.Timestamp](), reflect.TypeFor[documentedTime]())
	return c
}

// documentedTime describes a time that may be null.
type documentedTime struct{}

func (documentedTime) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Nullable: true}
}

// An operation is one call of the API, as it is described and as it is
// answered.
type operation struct {
	huma.Operation
	Public bool              // no passport is asked for
	Type   string            // of the socket's request that does the same; empty: none does
	Body   any               // a value of the type that describes the body; nil: there is none
	Also   []int             // statuses with the same answer as DefaultStatus
	Codes  []room.Code       // refusals beside those that every call may have
	Files  map[string]string // what else the answer may be: media types and descriptions
	answer *huma.Schema
}

func (a *api) schemaOf(value any) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(value), true, "")
}

// document adds an operation to the description.
func (a *api) document(o operation) *huma.Operation {
	op := &o.Operation
	op.DefaultStatus = cmp.Or(op.DefaultStatus, http.StatusOK)
	op.Responses = map[string]*huma.Response{}
	codes := append([]room.Code{room.CodeBadRequest, room.CodeForbidden, room.CodeInternal}, o.Codes...)
	if !o.Public {
		codes = append(codes, room.CodeUnauthorized, room.CodeUnavailable)
		if op.Method != http.MethodGet {
			codes = append(codes, room.CodeRateLimited)
		}
		op.Security = []map[string][]string{{"bearer": {}}, {"gateway": {}}, {"guest": {}}}
	}
	if o.Body != nil {
		op.RequestBody = &huma.RequestBody{
			Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: a.schemaOf(o.Body)}},
		}
	}
	a.documentProblems(op, codes)
	for _, status := range append(o.Also, op.DefaultStatus) {
		answers := map[string]*huma.MediaType{}
		if o.answer != nil {
			answers["application/json"] = &huma.MediaType{Schema: o.answer}
		}
		for media, description := range o.Files {
			answers[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: description}}
		}
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: answers}
	}
	a.huma.OpenAPI().AddOperation(op)
	return op
}

// documentProblems describes, for each status, the codes that it may have.
func (a *api) documentProblems(op *huma.Operation, codes []room.Code) {
	byStatus := map[int][]string{}
	for _, code := range codes {
		byStatus[statusOf[code]] = append(byStatus[statusOf[code]], "`"+string(code)+"`")
	}
	for status, names := range byStatus {
		slices.Sort(names)
		response := &huma.Response{
			Description: http.StatusText(status) + ": " + strings.Join(slices.Compact(names), ", "),
			Content:     map[string]*huma.MediaType{problemType: {Schema: a.schemaOf(problem{})}},
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response.Headers = map[string]*huma.Header{
				"Retry-After": {Description: "Seconds.", Schema: &huma.Schema{Type: huma.TypeInteger}},
			}
		}
		op.Responses[strconv.Itoa(status)] = response
	}
}

// describe returns the description of all operations.
func (a *api) describe() []byte {
	schemas := a.huma.OpenAPI().Components.Schemas.Map()
	for schema := range maps.Values(schemas) {
		for property := range maps.Values(schema.Properties) {
			if property.Type == huma.TypeArray {
				property.Nullable = false // a list of nothing is []
			}
			if property.Nullable && property.Enum != nil {
				property.Enum = append(property.Enum, nil)
			}
		}
	}
	// Objects that may be null, which huma does not describe.
	for name, property := range map[string]string{"Attendance": "correction", "AttendanceAnswer": "policy"} {
		object := schemas[name].Properties[property]
		schemas[name].Properties[property] = &huma.Schema{AnyOf: []*huma.Schema{object, {Type: "null"}}}
	}
	text, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic(err) // a fault in this file
	}
	return text
}

// Parameters of several operations.
var (
	roomParameter = &huma.Param{
		Name: "id", In: "path", Required: true, Description: "The room's id.", Schema: &huma.Schema{Type: huma.TypeString},
	}
	userParameter = &huma.Param{
		Name: "user", In: "path", Required: true, Description: "A user id, percent-encoded.", Schema: &huma.Schema{Type: huma.TypeString},
	}
	invitationParameter = &huma.Param{
		Name: "X-Room-ID", In: "header", Description: "The room's passport.", Schema: &huma.Schema{Type: huma.TypeString},
	}
	limitParameter = &huma.Param{
		Name: "limit", In: "query", Description: "How many items at most.",
		Schema: &huma.Schema{Type: huma.TypeInteger, Default: 100, Minimum: number(1), Maximum: number(500)},
	}
	cursorParameter = &huma.Param{
		Name: "cursor", In: "query", Description: "The next_cursor of the page before.", Schema: &huma.Schema{Type: huma.TypeString},
	}
)

func number(n float64) *float64 { return &n }

// What bodies are made of, for the description: they are read by
// parseRequest, as a socket's requests are.
type (
	openBody struct {
		Title    string       `json:"title" minLength:"1" maxLength:"200" example:"Linear algebra, week 3"`
		Capacity int          `json:"capacity" minimum:"1" maximum:"100000" doc:"Seats." example:"120"`
		Options  *optionsBody `json:"options,omitempty"`
		Key      string       `json:"key,omitempty" maxLength:"64" doc:"With the same key the same room is answered, not a second one opened. The header Idempotency-Key is the same and goes before."`
	}
	updateBody struct {
		Title    string       `json:"title,omitempty" minLength:"1" maxLength:"200"`
		Capacity int          `json:"capacity,omitempty" minimum:"1" maximum:"100000" doc:"Not fewer seats than are taken."`
		Options  *optionsBody `json:"options,omitempty" doc:"Merged: those left out stay as they are."`
		NewCode  bool         `json:"new_code,omitempty" doc:"Make a new join code; the old one and the room's passports become void."`
	}
	attendBody struct {
		Code string `json:"code,omitempty" doc:"The join code, in any case, with or without hyphens." example:"K7QF3MXD"`
		Room string `json:"room_id,omitempty" doc:"Instead of the code, with the room's passport or with a place there already."`
	}
	policyBody struct {
		Percent *int `json:"present_percent" required:"false" minimum:"0" maximum:"100" doc:"Present is who was there for so much of the time that the room was open, up to now while it is."`
		Minutes *int `json:"present_minutes" required:"false" minimum:"0" maximum:"10080" doc:"Present is who was there for so long. Where both are set either will do; where neither is, any time."`
		Late    *int `json:"late_after_minutes" required:"false" minimum:"0" maximum:"10080" doc:"Late is who is present, and came more than so many minutes after the room opened."`
		Early   *int `json:"left_early_minutes" required:"false" minimum:"0" maximum:"10080" doc:"Gone early is who is present and not late, and left for good more than so many minutes before the room closed."`
	}
	correctionBody struct {
		Status *room.AttendanceStatus `json:"status" enum:"present,late,left_early,absent" doc:"null takes the correction back."`
		Reason string                 `json:"reason,omitempty" minLength:"1" maxLength:"200" doc:"Required with a status." example:"was here, the phone was not"`
	}
	guestBody struct {
		Name string `json:"name" minLength:"1" maxLength:"80" doc:"How the guest is shown." example:"Kim"`
	}
	optionsBody struct {
		_          struct{}   `additionalProperties:"false"`
		Waitlist   bool       `json:"waitlist,omitempty" default:"false" doc:"true: whoever joins a full room waits in line; false: the join is refused. Those in line stay there when it is turned off."`
		Approval   bool       `json:"approval,omitempty" default:"false" doc:"true: whoever joins is pending until the instructor admits them. Turned off, it admits all who are pending, as far as there is room."`
		Locked     bool       `json:"locked,omitempty" default:"false" doc:"true: nobody new may join. Those in line still get seats that become free."`
		Guests     bool       `json:"guests,omitempty" default:"true" doc:"false: guests may not join."`
		Roster     string     `json:"roster,omitempty" enum:"instructor,everyone" default:"instructor" doc:"Who may see the roster: the instructor, or everyone seated too."`
		SeatHold   int        `json:"seat_hold_seconds,omitempty" minimum:"0" maximum:"86400" default:"0" doc:"For how long a seat is kept for someone who is offline; 0: until the room closes."`
		StartsAt   *time.Time `json:"starts_at" required:"false" doc:"The room is scheduled until then, and nobody can join it; null, or a time that has passed: it opens at once. A room that has opened cannot be scheduled again."`
		MaxMinutes int        `json:"max_minutes,omitempty" minimum:"1" maximum:"10080" default:"720" doc:"How long after its opening the room closes by itself."`
	}
)
