package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// alreadyReported is the exit status of the executor after it has told the engine what went wrong.
const alreadyReported = 32

// pythonHost answers the engine's questions about a Python program, and runs it.
type pythonHost struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	engine            string // its address
	executor          string // path of execute.py
	python            interpreter
	programs, plugins children
}

// GetPluginInfo tells the version of the `pulumi` package.
func (h *pythonHost) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: h.python.Pulumi}, nil
}

// About tells which Python runs the program.
func (h *pythonHost) About(_ context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	python := h.pythonOf(request.GetInfo())
	return &pulumirpc.AboutResponse{Executable: python.Path, Version: python.Version}, nil
}

// GetRequiredPackages tells the resource plugins of the SDKs that are installed for the program.
func (h *pythonHost) GetRequiredPackages(
	_ context.Context, request *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	response := &pulumirpc.GetRequiredPackagesResponse{}
	for _, site := range h.pythonOf(request.GetInfo()).Sites {
		entries, _ := os.ReadDir(site) // sorted; a directory that isn't there has none
		for _, entry := range entries {
			path := filepath.Join(site, entry.Name(), "pulumi-plugin.json")
			text, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			var marker struct {
				Resource      bool
				Name, Version *string
				Server        string
			}
			if err := json.Unmarshal(text, &marker); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			if marker.Resource && marker.Name != nil && marker.Version != nil {
				response.Packages = append(response.Packages, &pulumirpc.PackageDependency{
					Name:    *marker.Name,
					Kind:    "resource",
					Version: "v" + strings.TrimPrefix(*marker.Version, "v"),
					Server:  marker.Server,
				})
			}
		}
	}
	return response, nil
}

// InstallDependencies is refused: the environment is installed before the CLI runs.
func (h *pythonHost) InstallDependencies(
	*pulumirpc.InstallDependenciesRequest, grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	return status.Error(
		codes.Unimplemented, "packages are installed by `make environment`, not by `pulumi install`",
	)
}

// Run runs the program to its end. `Bail` means: it failed and the user has been told why.
func (h *pythonHost) Run(call context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	info := request.GetInfo()
	python := h.pythonOf(info)
	command := exec.Command(
		python.Path, "-u", h.executor,
		"--monitor", request.GetMonitorAddress(), "--engine", h.engine,
		"--project", request.GetProject(), "--stack", request.GetStack(),
		"--root_directory", info.GetRootDirectory(), "--organization", request.GetOrganization(),
		"--parallel", strconv.Itoa(int(request.GetParallel())), "--dry_run", strconv.FormatBool(request.GetDryRun()),
		entryPoint(info),
	)
	config, err := configuration(request)
	if err != nil {
		return nil, err
	}
	command.Dir = request.GetPwd()
	command.Env = append(python.environment(), config...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	// The writing end of its standard input is this process's alone: a program whose input ends has lost its host.
	if _, err := command.StdinPipe(); err != nil {
		return nil, err
	}
	program, err := h.programs.start(call, command)
	if err != nil {
		return nil, err
	}
	switch code := program.wait(); {
	case code == 0 || code == alreadyReported:
		return &pulumirpc.RunResponse{Bail: code != 0}, nil
	case code < 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program was ended by signal %d", -code)}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with non-zero exit code: %d", code)}, nil
	}
}

// configuration is the stack's configuration as the SDK reads it from the environment.
func configuration(request *pulumirpc.RunRequest) ([]string, error) {
	values, secretKeys := request.GetConfig(), request.GetConfigSecretKeys()
	if values == nil {
		values = map[string]string{}
	}
	if secretKeys == nil {
		secretKeys = []string{}
	}
	config, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, err
	}
	return []string{"PULUMI_CONFIG=" + string(config), "PULUMI_CONFIG_SECRET_KEYS=" + string(secrets)}, nil
}

// RunPlugin runs a plugin that is a Python directory, such as the policy pack, streaming its output to the engine.
func (h *pythonHost) RunPlugin(
	request *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	info := request.GetInfo()
	python := h.pythonOf(info)
	directory := info.GetProgramDirectory()
	if directory == "" {
		directory = request.GetProgram()
	}
	command := exec.Command(
		python.Path, append([]string{"-u", below(directory, entryPoint(info))}, request.GetArgs()...)...,
	)
	command.Dir = request.GetPwd()
	command.Env = append(python.environment(), request.GetEnv()...)
	one := &sync.Mutex{}
	command.Stdout = &output{one, func(data []byte) {
		_ = stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: data}})
	}}
	command.Stderr = &output{one, func(data []byte) {
		_ = stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: data}})
	}}
	plugin, err := h.plugins.start(stream.Context(), command)
	if err != nil {
		return err
	}
	code := int32(plugin.wait())
	return stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: code}})
}

// output sends what is written to it, one writer of the call at a time. What can't be sent is dropped: the call is over
// then, and a plugin that ends must not wait for its output.
type output struct {
	one  *sync.Mutex
	send func([]byte)
}

func (o *output) Write(data []byte) (int, error) {
	o.one.Lock()
	defer o.one.Unlock()
	o.send(data)
	return len(data), nil
}

// Cancel ends running programs. Plugins continue: the engine lets their operations finish before it closes them.
func (h *pythonHost) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.programs.stop()
	return &emptypb.Empty{}, nil
}

// pythonOf is the Python for a program: the one of its `virtualenv` option if that is there, else our own.
func (h *pythonHost) pythonOf(info *pulumirpc.ProgramInfo) interpreter {
	option := info.GetOptions().GetFields()["virtualenv"].GetStringValue()
	if option == "" {
		return h.python
	}
	path := filepath.Join(below(info.GetRootDirectory(), option), "bin", "python")
	if path == h.python.Path || !executable(path) {
		return h.python
	}
	python, _ := environmentOf(path)
	return python
}

func entryPoint(info *pulumirpc.ProgramInfo) string {
	if name := info.GetEntryPoint(); name != "" {
		return name
	}
	return "."
}

// below is a path as it is meant in a directory.
func below(directory, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(directory, path)
}
