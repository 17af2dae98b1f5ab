// Command pulumi-language-python is Pulumi's language host for Python: it runs the program, and plugins that are Python
// directories (the policy pack), for the engine. It is built where the CLI brings no language host of its own.
//
// The engine starts it twice in every command, so it starts no Python to answer a question. The program is
// execute.py's, which lies beside this binary, in a process of its own that ends with this one however this one ends.
// Installing dependencies and `pulumi new` are left to the published host: `make environment` and git do that here.
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

const (
	maxMessageBytes = 400 << 20
	// answerTime is how long calls that end now may take to tell the engine so.
	answerTime = 200 * time.Millisecond
)

func main() {
	if err := serve(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-language-python: %v\n", err)
		os.Exit(1)
	}
}

// serve answers the engine at this address until it is gone or tells this process to end.
func serve(engine string) error {
	parent := os.Getppid()
	// The engine keeps its children out of the terminal's process group, so SIGINT is never the user's Ctrl-C: it is
	// how the engine ends a host it no longer needs.
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
	python, err := ownPython()
	if err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	host := &pythonHost{
		engine:   engine,
		executor: filepath.Join(filepath.Dir(binary), "execute.py"),
		python:   python,
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessageBytes), grpc.MaxSendMsgSize(maxMessageBytes))
	pulumirpc.RegisterLanguageRuntimeServer(server, host)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	select {
	case err = <-failed:
	case <-told:
	case <-lost(parent):
	}
	host.programs.stop()
	host.plugins.stop()
	shutDown(server)
	return err
}

// lost is closed when the parent of this process is another one. (PR_SET_PDEATHSIG would tell the end of the engine's
// thread that started this process, which is not the engine's.)
func lost(parent int) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		close(gone)
	}()
	return gone
}

// shutDown ends every call and returns when the children of the calls have ended.
func shutDown(server *grpc.Server) {
	ended := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(ended)
	}()
	time.AfterFunc(answerTime, server.Stop)
	select {
	case <-ended:
	case <-time.After(grace + time.Second): // what a killed child has left holds a pipe of ours
	}
}
