// Command lectern serves lecture rooms: an instructor opens a room with a
// number of seats, students take them, and everyone sees it happen.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "lectern:", err)
		os.Exit(1)
	}
}

// A commandLine is everything that can be asked of the program.
type commandLine struct {
	Settings settings `embed:"" group:"Settings (flag, or environment variable)"`

	Serve    serveCommand     `cmd:"" group:"Instances" default:"withargs" help:"Run an instance, as lectern alone does."`
	Doctor   doctorCommand    `cmd:"" group:"Instances" help:"Say what is missing or wrong here, and how to mend it."`
	Health   healthCommand    `cmd:"" group:"Instances" help:"Ask the instance of this machine whether it lives, or is ready."`
	Migrate  migrateCommand   `cmd:"" group:"Instances" help:"Bring the store's schema up to this program's."`
	Version  versionCommand   `cmd:"" group:"Instances" help:"Print the program's version."`
	Keys     keysCommand      `cmd:"" group:"Passports" help:"Make a signing and an encryption key, ready to paste."`
	Passport passportCommand  `cmd:"" group:"Passports" help:"Make a passport, or say what is wrong with one."`
	Watch    watchCommand     `cmd:"" group:"Rooms" help:"Show a room's live roster."`
	Why      whyCommand       `cmd:"" group:"Rooms" help:"Tell what happened to one person."`
	Export   exportCommand    `cmd:"" group:"Rooms" help:"Write a room's attendance record."`
	Erase    eraseCommand     `cmd:"" group:"Rooms" help:"Take a person's name and id out of the store."`
	Bench    benchCommand     `cmd:"" group:"Load" help:"Put a server under load, and check that it keeps its promises."`
	Flag     kong.VersionFlag `name:"version" help:"Print the program's version."`
}

// A program is what a command may touch.
type program struct {
	settings *settings
	environ  environment
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
}

// run carries out one command line. Environ is in the form of os.Environ.
func run(ctx context.Context, args, environ []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var line commandLine
	p := &program{settings: &line.Settings, environ: newEnvironment(environ), stdin: stdin, stdout: stdout, stderr: stderr}
	exited := false
	parser, err := kong.New(&line,
		kong.Name("lectern"),
		kong.Description("Lecture rooms that never seat more people than they have seats."),
		kong.Vars{"version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.Resolvers(kong.ResolverFunc(p.environ.resolve)),
		kong.Help(printHelp),
		kong.ValueFormatter(describe),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if exited {
		return nil // --help and --version have printed what was asked for
	}
	if err != nil {
		return err
	}
	p.environ.known = knownNames(parser.Model.Flags)
	return parsed.Run()
}

// newLogger returns the log that the settings ask for.
func newLogger(w io.Writer, c *config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.logLevel}
	if c.logFormat == "text" || c.logFormat == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal tells whether a person is at the other end of what a program
// reads or writes.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// closing adds the error of closing what was opened to that of its use.
func closing(c io.Closer, err *error) {
	*err = errors.Join(*err, c.Close())
}
