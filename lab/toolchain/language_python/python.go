package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// interpreter is a Python and what it has.
type interpreter struct {
	Path    string   `json:"path"`
	Version string   `json:"version"` // "" where only a start would tell
	Sites   []string `json:"sites"`   // the directories of its packages
	Pulumi  string   `json:"pulumi"`  // version of its package `pulumi`, "" if it has none
}

// question has a Python describe itself: a virtual environment can be read instead.
const question = `
import importlib.metadata, json, sys
sys.path = [entry for entry in sys.path if entry]
try:
    pulumi = importlib.metadata.version("pulumi")
except importlib.metadata.PackageNotFoundError:
    pulumi = ""
json.dump({
    "path": sys.executable, "version": ".".join(map(str, sys.version_info[:3])), "pulumi": pulumi,
    "sites": [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))],
}, sys.stdout)
`

// ownPython is the Python that runs programs which name none. It has the `pulumi` package.
func ownPython() (interpreter, error) {
	path, err := choose()
	if err != nil {
		return interpreter{}, err
	}
	python, alone := environmentOf(path)
	if alone {
		ahead := filepath.SplitList(os.Getenv("PYTHONPATH"))
		python.Pulumi = pulumiIn(append(ahead, python.Sites...))
		ahead = slices.DeleteFunc(ahead, func(entry string) bool {
			return !strings.HasSuffix(entry, "site-packages") && !strings.HasSuffix(entry, "dist-packages")
		})
		python.Sites = append(ahead, python.Sites...)
	}
	if python.Version == "" || python.Pulumi == "" {
		if python, err = ask(path); err != nil {
			return interpreter{}, err
		}
	}
	if python.Pulumi == "" {
		return interpreter{}, fmt.Errorf(
			"%s has no package `pulumi`; set PULUMI_PYTHON_CMD to a Python that has it", python.Path,
		)
	}
	return python, nil
}

// choose is the absolute path of the first Python that there is: PULUMI_PYTHON_CMD, the active environment's, the one of
// the project's directory, in which the engine starts this process, python3. (No directory above: others may write to
// that one.)
func choose() (string, error) {
	candidates := []string{os.Getenv("PULUMI_PYTHON_CMD")}
	if active := os.Getenv("VIRTUAL_ENV"); active != "" {
		candidates = append(candidates, filepath.Join(active, "bin", "python"))
	}
	candidates = append(candidates, filepath.Join(".venv", "bin", "python"), "python3")
	for _, candidate := range candidates {
		if path, err := exec.LookPath(candidate); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", errors.New("no Python found; set PULUMI_PYTHON_CMD to one that has the pulumi package")
}

// ask starts a Python and returns what it says of itself.
func ask(path string) (interpreter, error) {
	var said, complaint bytes.Buffer
	command := exec.Command(path, "-c", question)
	command.Stdout, command.Stderr = &said, &complaint
	if err := command.Run(); err != nil {
		return interpreter{}, fmt.Errorf("%s can't be used: %w\n%s", path, err, complaint.String())
	}
	var found interpreter
	if err := json.Unmarshal(said.Bytes(), &found); err != nil {
		return interpreter{}, fmt.Errorf("%s can't be used: it said %q: %w", path, said.String(), err)
	}
	return found, nil
}

var (
	setting     = regexp.MustCompile(`(?m)^\s*([\w-]+)\s*=\s*(.*?)\s*$`)
	release     = regexp.MustCompile(`^\d+\.\d+\.\d+`)
	pulumiFiles = regexp.MustCompile(`^pulumi-(\d.*)\.dist-info$`)
)

// environmentOf reads the virtual environment around a Python, and whether that Python has these packages alone. The
// version is "" where there is no such environment.
func environmentOf(path string) (found interpreter, alone bool) {
	root := filepath.Dir(filepath.Dir(path))
	found.Path = path
	versions, _ := os.ReadDir(filepath.Join(root, "lib"))
	for _, entry := range versions {
		if strings.HasPrefix(entry.Name(), "python3") {
			found.Sites = append(found.Sites, filepath.Join(root, "lib", entry.Name(), "site-packages"))
		}
	}
	settings := map[string]string{}
	text, _ := os.ReadFile(filepath.Join(root, "pyvenv.cfg"))
	for _, match := range setting.FindAllStringSubmatch(string(text), -1) {
		settings[strings.ToLower(match[1])] = match[2]
	}
	if found.Version = release.FindString(settings["version"]); found.Version == "" { // uv writes the other one only
		found.Version = release.FindString(settings["version_info"])
	}
	return found, strings.EqualFold(settings["include-system-site-packages"], "false")
}

// pulumiIn is the version of the package `pulumi` in the first of these directories that has it, else "".
func pulumiIn(directories []string) string {
	for _, directory := range directories {
		entries, _ := os.ReadDir(directory)
		for _, entry := range entries {
			if match := pulumiFiles.FindStringSubmatch(entry.Name()); match != nil {
				return match[1]
			}
		}
	}
	return ""
}

// environment is the one of this process, with the virtual environment active if there is one.
func (p interpreter) environment() []string {
	root := filepath.Dir(filepath.Dir(p.Path))
	if _, err := os.Stat(filepath.Join(root, "pyvenv.cfg")); err != nil {
		return os.Environ()
	}
	return append(
		os.Environ(),
		"VIRTUAL_ENV="+root,
		"PATH="+filepath.Join(root, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
	)
}

// executable tells whether a file can be run.
func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
