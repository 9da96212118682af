package room

import "time"

// Metrics are told what a Registrar does. Nil functions are not called.
type Metrics struct {
	Lock     func(took time.Duration)
	Save     func(took time.Duration, commands int, err error)
	Conflict func()
}

func (m *Metrics) locked(began time.Time) {
	if m != nil && m.Lock != nil {
		m.Lock(time.Since(began))
	}
}

func (m *Metrics) saved(began time.Time, commands int, err error) {
	if m != nil && m.Save != nil {
		m.Save(time.Since(began), commands, err)
	}
}

func (m *Metrics) conflict() {
	if m != nil && m.Conflict != nil {
		m.Conflict()
	}
}
