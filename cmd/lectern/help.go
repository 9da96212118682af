package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// examples are what a newcomer and an operator type first.
const examples = `Examples
  lectern
      One instance, with nothing to install, on http://127.0.0.1:8080. It prints
      a link that signs you in as an instructor.

  (umask 077; lectern keys > lectern.env)
  cat >> lectern.env <<.
  LECTERN_POSTGRES_URL=postgres://lectern:PASSWORD@db.example/lectern
  LECTERN_REDIS_URL=redis://:PASSWORD@redis.example
  LECTERN_HOSTS=lectern.example
  LECTERN_ORIGINS=https://lectern.example
  LECTERN_PUBLIC_URL=https://lectern.example
  LECTERN_TRUSTED_PROXIES=10.0.0.0/8
  LECTERN_LISTEN=:8080
  .
      The settings of any number of instances behind a balancer.

  set -a; . ./lectern.env
  lectern doctor
      What is still missing there, and what to do about it.

  lectern
      One of the instances, with these settings.

Settings are flags, or variables such as LECTERN_LISTEN: lectern serve --help
The flags and an example of a command:                   lectern COMMAND --help
`

// printHelp says in a page what there is. Of a command it is the library that
// tells, and of settings only serve, whose they are.
func printHelp(options kong.HelpOptions, c *kong.Context) error {
	switch selected := c.Selected(); {
	case selected == nil:
		return printOverview(c.Stdout, c.Model)
	case selected.Name == "serve":
		return kong.DefaultHelpPrinter(options, c)
	}
	for _, flag := range c.Model.Flags {
		flag.Hidden = flag.Hidden || isSetting(flag)
	}
	if err := kong.DefaultHelpPrinter(options, c); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.Stdout, "\nSettings, such as $LECTERN_DATA or --data, are those of lectern serve --help.")
	return err
}

func printOverview(w io.Writer, app *kong.Application) error {
	var text strings.Builder
	fmt.Fprintf(&text, "Usage: lectern [COMMAND] [FLAGS]\n\n%s\n", app.Help)
	group := ""
	for _, command := range app.Children {
		if command.Group.Title != group {
			group = command.Group.Title
			fmt.Fprintf(&text, "\n%s\n", group)
		}
		fmt.Fprintf(&text, "  %-10s%s\n", command.Name, command.Help)
	}
	text.WriteString("\n" + examples)
	_, err := io.WriteString(w, text.String())
	return err
}

// Help tells what is no flag.
func (serveCommand) Help() string {
	return `Secrets are no flags. They come from the environment, or from a file that the same name with _FILE names:

  LECTERN_PASSPORT_KEYS             sign passports; "lectern keys" makes one
  LECTERN_PASSPORT_ENCRYPTION_KEYS  encrypt them
  LECTERN_POSTGRES_URL, LECTERN_REDIS_URL

SIGTERM and Ctrl-C end it in order, a second one at once.

Example:

  lectern --listen=:8080 --hosts=lectern.example --origins=https://lectern.example --trusted-proxies=10.0.0.0/8`
}

// Help has an example.
func (migrateCommand) Help() string {
	return `An instance does so itself when it starts, one at a time. This is for a role that may make tables, where that of the instances may not.

Example:

  LECTERN_POSTGRES_URL=postgres://owner@db.example/lectern lectern migrate --check
  LECTERN_POSTGRES_URL=postgres://owner@db.example/lectern lectern migrate`
}

// Help has an example.
func (passportCommand) Help() string {
	return `Signs with the first of the keys that are configured here, as an instance with the same settings would.

Examples:

  lectern passport --user=t1 --name=Kim --role=instructor --ttl=8h
  lectern passport --verify < passport`
}

// Help has an example.
func (keysCommand) Help() string {
	return `All instances on one Postgres have the same keys. The first signs, all verify. To change one, give the new one to all instances after the old; then, on all, put it first; wait for as long as passports are valid; then take the old one out. An instance that did not know the new one would refuse what the others sign with it.

Example:

  (umask 077; lectern keys > lectern.env)`
}

// Help has an example.
func (watchCommand) Help() string {
	return `Piped, it prints a line for each change.

Example:

  LECTERN_PASSPORT=$(lectern passport --user=t1 --role=instructor) lectern watch K7QF3MXD`
}

// Help has an example.
func (whyCommand) Help() string {
	return `Reads the store, beside a server or not.

Example:

  lectern why K7QF3MXD s42`
}

// Help has an example.
func (exportCommand) Help() string {
	return `Reads the store, beside a server or not.

Example:

  lectern export 01JD3Y1R8ZK0V5W6X7QH2M9NPA --format=xlsx --output=record.xlsx`
}

// Help has an example.
func (benchCommand) Help() string {
	return `Starts servers of its own, or takes running ones. It ends with status 1 if an invariant did not hold.

Examples:

  lectern bench storm --students=1000
  lectern bench restart --instances=2`
}
