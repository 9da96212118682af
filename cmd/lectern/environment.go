package main

import (
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// An environment is the variables that a program is started with.
type environment struct {
	values map[string]string
	known  []string // the names that mean something
}

func newEnvironment(environ []string) environment {
	e := environment{values: map[string]string{}}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		e.values[name] = value
	}
	return e
}

func environmentName(flag string) string {
	return "LECTERN_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// isSetting tells whether a flag has an environment variable.
func isSetting(flag *kong.Flag) bool {
	return flag.Group != nil && strings.HasPrefix(flag.Group.Key, "Settings")
}

// resolve gives the settings that are no flags their environment's value. An
// empty one counts as none, but where empty means something. What may be
// secret is not for it: see secret.
func (e *environment) resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, set := e.values[environmentName(flag.Name)]
	if !isSetting(flag) || flag.Tag.Has("secret") || !set || value == "" && !flag.Tag.Has("may") {
		return nil, nil
	}
	return value, nil
}

// describe adds the environment variable to the help of a setting.
func describe(value *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(value)
	if value.Flag == nil || !isSetting(value.Flag) {
		return help
	}
	return help + " $" + environmentName(value.Name)
}

// maxSecret is well above any list of keys.
const maxSecret = 64 << 10

// secret returns the value of a variable, or of the file that the variable of
// the same name and _FILE names. Its errors do not show it.
func (e *environment) secret(name string) (string, error) {
	value, file := e.values[name], e.values[name+"_FILE"]
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%[1]s and %[1]s_FILE are both set: accepted is one of them", name)
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxSecret {
		err = fmt.Errorf("%s has more than %d bytes", file, maxSecret)
	}
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return "", fmt.Errorf("%s_FILE: %s is empty", name, file)
	}
	return string(text), nil
}

// knownNames are the variables that mean something.
func knownNames(flags []*kong.Flag) []string {
	names := []string{signingKeys, signingKeys + "_FILE", encryptionKeys, encryptionKeys + "_FILE", ownPassport, ownPassport + "_FILE"}
	for _, flag := range flags {
		if isSetting(flag) {
			names = append(names, environmentName(flag.Name))
			if flag.Tag.Has("secret") {
				names = append(names, environmentName(flag.Name)+"_FILE")
			}
		}
	}
	return names
}

// warnUnknown points at variables that look like settings and are none.
func (e *environment) warnUnknown(log *slog.Logger) {
	for name, nearest := range e.unknown() {
		log.Warn("a variable in the environment is no setting of this version, and does nothing", "name", name, "nearest", nearest)
	}
}

// unknown returns the variables that look like settings and are none, each
// with the setting whose name is nearest, in the order of their names.
func (e *environment) unknown() iter.Seq2[string, string] {
	return func(yield func(name, nearest string) bool) {
		for _, name := range slices.Sorted(maps.Keys(e.values)) {
			if !strings.HasPrefix(name, "LECTERN_") || slices.Contains(e.known, name) || e.inKubernetes() && ofService(name) {
				continue
			}
			nearest := slices.MinFunc(e.known, func(a, b string) int { return distance(name, a) - distance(name, b) })
			if !yield(name, nearest) {
				return
			}
		}
	}
}

// ofService tells whether Kubernetes makes a variable of this name in every
// container, for a Service whose own name begins with lectern.
func ofService(name string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_PORT")
}

// inKubernetes tells whether this is a container there, which is told so of
// its API.
func (e *environment) inKubernetes() bool { return e.values["KUBERNETES_SERVICE_HOST"] != "" }

// distance is how many letters must be put in, taken out or changed to make b
// of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
