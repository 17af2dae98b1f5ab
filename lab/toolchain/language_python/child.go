package main

import (
	"context"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// grace is how long a process that was asked to end may take before it is killed.
const grace = 5 * time.Second

// child is a running process in a process group of its own, so that no signal meant for the host or the engine reaches
// it.
type child struct {
	command *exec.Cmd
	ended   chan struct{}
}

// wait returns the exit status, or the negative number of the signal that ended the process.
func (c *child) wait() int {
	<-c.ended
	if status := c.command.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return -int(status.Signal())
	}
	return c.command.ProcessState.ExitCode()
}

// stop asks the process to end, as Ctrl-C would, and kills its group if it doesn't in time.
func (c *child) stop() {
	c.signal(syscall.SIGINT)
	time.AfterFunc(grace, func() { c.signal(syscall.SIGKILL) })
}

func (c *child) signal(number syscall.Signal) {
	select {
	case <-c.ended:
	default:
		_ = syscall.Kill(-c.command.Process.Pid, number) // fails only where the group is gone
	}
}

// children are the running processes of one kind.
type children struct {
	mutex   sync.Mutex
	running map[*child]struct{}
}

// start runs a command as a child that ends with its call.
func (c *children) start(call context.Context, command *exec.Cmd) (*child, error) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	started := &child{command: command, ended: make(chan struct{})}
	c.mutex.Lock()
	if c.running == nil {
		c.running = map[*child]struct{}{}
	}
	c.running[started] = struct{}{}
	c.mutex.Unlock()
	context.AfterFunc(call, started.stop)
	go func() {
		_ = command.Wait() // how it ended is in its ProcessState
		c.mutex.Lock()
		delete(c.running, started)
		c.mutex.Unlock()
		close(started.ended)
	}()
	return started, nil
}

// stop asks all of them to end.
func (c *children) stop() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for running := range c.running {
		running.stop()
	}
}
