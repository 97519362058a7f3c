package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// step is one script of a template.
type step struct {
	script string
	always bool // also after a step that failed
}

// job is a job of a template: what its system would run.
type job struct {
	shell []string
	env   map[string]string
	steps []step
	files []string // that it must leave in the workspace
}

// gateFiles are the files that every job leaves.
func gateFiles(prefix string) []string {
	var out []string
	for _, ending := range []string{".md", ".json", ".html", ".xml", ".sarif"} {
		out = append(out, prefix+ending)
	}
	return out
}

func template(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "ci", "templates", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func unmarshal(t *testing.T, text string) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// expressions of GitHub Actions that the template uses, as a runner fills them in.
var expressions = map[string]string{
	"github.event.pull_request.base.sha": "0123abc", "github.event.pull_request.number": "7", "github.token": "token", "runner.os": "Linux",
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// githubJob takes a job out of the workflow.
func githubJob(t *testing.T, name string) job {
	t.Helper()
	body := unmarshal(t, template(t, "github-actions.yaml"))["jobs"].(map[string]any)[name].(map[string]any)
	j := job{shell: []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "-u", "-c"}, env: map[string]string{"GITHUB_REPOSITORY": "o/r"}, files: gateFiles("gate")}
	for k, v := range body["env"].(map[string]any) {
		j.env[k] = expression.ReplaceAllStringFunc(fmt.Sprint(v), func(e string) string {
			value, ok := expressions[expression.FindStringSubmatch(e)[1]]
			if !ok {
				t.Errorf("%s: %s: no runner fills in %s", name, k, e)
			}
			return value
		})
	}
	for _, s := range body["steps"].([]any) {
		s := s.(map[string]any)
		run, ok := s["run"].(string)
		if !ok {
			continue
		}
		if expression.MatchString(run) {
			t.Errorf("%s: an expression within a script is code from whoever opens a pull request: %s", name, run)
		}
		j.steps = append(j.steps, step{run, s["if"] == "always()"})
	}
	return j
}

// gitlabJob takes a job out of the pipeline, with what it extends.
func gitlabJob(t *testing.T, name string) job {
	t.Helper()
	doc := unmarshal(t, template(t, "gitlab-ci.yaml"))
	body, base := doc["dlbench-"+name].(map[string]any), doc[".dlbench"].(map[string]any)
	j := job{shell: []string{"bash", "-eo", "pipefail", "-u", "-c"}, files: gateFiles("gate"), env: map[string]string{
		"CI_MERGE_REQUEST_DIFF_BASE_SHA": "0123abc", "CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "DLBENCH_TOKEN": "token",
	}}
	for k, v := range body["variables"].(map[string]any) {
		if k != "DLBENCH_CACHE" { // the test has one
			j.env[k] = fmt.Sprint(v)
		}
	}
	lines := func(v any) string {
		var out []string
		for _, l := range v.([]any) {
			out = append(out, l.(string))
		}
		return strings.Join(out, "\n")
	}
	j.steps = []step{{lines(body["script"]), false}, {lines(base["after_script"]), true}}
	return j
}

var (
	stageRE = regexp.MustCompile(`stage\('([a-z]+)'\)`)
	setRE   = regexp.MustCompile(`(?m)^\s*([A-Z_]+) = '([^']*)'`)
	shellRE = regexp.MustCompile(`(?s)sh '''(.*?)'''`)
)

// jenkinsJob takes a stage out of the pipeline.
func jenkinsJob(t *testing.T, name string) job {
	t.Helper()
	text := template(t, "Jenkinsfile")
	if strings.Count(text, "{") != strings.Count(text, "}") {
		t.Error("the Jenkinsfile's braces do not match")
	}
	at := stageRE.FindAllStringSubmatchIndex(text, -1)
	i := slices.IndexFunc(at, func(m []int) bool { return text[m[2]:m[3]] == name })
	if i < 0 {
		t.Fatalf("no stage %s", name)
	}
	end := len(text)
	if i+1 < len(at) {
		end = at[i+1][0]
	}
	text = text[at[i][0]:end]
	j := job{shell: []string{"sh", "-e", "-u", "-c"}, env: map[string]string{"TARGET": "main"}, files: gateFiles("gate-" + name)}
	for _, m := range setRE.FindAllStringSubmatch(text, -1) {
		j.env[m[1]] = m[2]
	}
	for _, m := range shellRE.FindAllStringSubmatch(text, -1) {
		j.steps = append(j.steps, step{m[1], false})
	}
	return j
}

// workshop is a folder in which a template's scripts run: the workspace, and
// stand-ins for the programs that would need a network.
type workshop struct{ root, workspace, bin, log string }

func newWorkshop(t *testing.T, suite, base, head string) workshop {
	t.Helper()
	dlbench, err := exec.LookPath("dlbench")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	w := workshop{root, filepath.Join(root, "repository"), filepath.Join(root, "bin"), filepath.Join(root, "log")}
	write := func(path, text string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(w.workspace, "ci", "dlbench", "suite.yaml"), suite, 0o644)
	write(filepath.Join(w.workspace, "ci", "dlbench", "gate.yaml"), template(t, "gate.yaml"), 0o644)
	// The dlbench of either commit is this one, with other workers.
	built := fmt.Sprintf(`#!/bin/sh
case "$1 $0" in
  setup*) exit 0 ;;
  worker*-base) exec %[1]q worker %[2]s ;;
  worker*-head) exec %[1]q worker %[3]s ;;
esac
exec %[1]q "$@"
`, dlbench, base, head)
	write(filepath.Join(root, "built"), built, 0o755)
	logged := "#!/bin/sh\necho \"${0##*/} $*\" >>" + w.log + "\n"
	write(filepath.Join(w.bin, "git"), logged+`case "$1" in
  clone) for last; do :; done; mkdir -p "$last" ;;
esac
`, 0o755)
	write(filepath.Join(w.bin, "go"), logged+`case "$1" in
  build) while [ $# -gt 0 ]; do if [ "$1" = -o ]; then cp `+root+`/built "$2"; fi; shift; done ;;
  install) mkdir -p "${GOBIN:-`+w.bin+`}"; cp `+root+`/built "${GOBIN:-`+w.bin+`}/dlbench" ;;
esac
`, 0o755)
	write(filepath.Join(w.bin, "gh"), logged+"case \"$*\" in *library*) echo 4711 ;; esac\n", 0o755)
	write(filepath.Join(w.bin, "curl"), logged+"echo '[]'\n", 0o755)
	write(filepath.Join(w.bin, "jq"), logged+"cat >/dev/null\ncase \"$*\" in *library*) echo 4711 ;; esac\n", 0o755)
	write(filepath.Join(w.bin, "apt-get"), logged, 0o755)
	write(filepath.Join(w.bin, "python3"), logged, 0o755)
	return w
}

// run runs a job's steps as its system does, and returns the code of the first
// that failed and what all printed.
func (w workshop) run(t *testing.T, j job) (code int, printed string) {
	t.Helper()
	env := append(os.Environ(), fakesVariable+"=1", "DLBENCH_CACHE="+filepath.Join(os.TempDir(), "dlbench-test-cache"),
		"PATH="+w.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GITHUB_STEP_SUMMARY="+filepath.Join(w.root, "summary"))
	for k, v := range j.env {
		env = append(env, k+"="+v)
	}
	for _, s := range j.steps {
		if code != 0 && !s.always {
			continue
		}
		cmd := exec.CommandContext(t.Context(), j.shell[0], append(slices.Clone(j.shell[1:]), s.script)...)
		cmd.Dir, cmd.Env = w.workspace, env
		out, err := cmd.CombinedOutput()
		printed += string(out)
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && s.always:
			t.Errorf("%q ends with %d: %s", s.script, exit.ExitCode(), out)
		case errors.As(err, &exit):
			code = exit.ExitCode()
		case err != nil:
			t.Fatal(err)
		}
	}
	return code, printed
}

// tiny is a suite that takes seconds, in place of the template's.
func tiny(backends string, rounds int) string {
	return fmt.Sprintf(`suite: gate
backends: [%s]
cells: [{workload: TinyMlp, mode: train, batch: 4, steps: {warmup-max: 2, blocks: 4, per-block: 1}}]
rounds: {min: %[2]d, max: %[2]d, until: max}
limits: {trial: 20s, memory: 4GiB}
compare: {baseline: eager, metric: {train: step-time, infer: step-time}, min-effect: 0.05, alpha: 0.01}
`, backends, rounds)
}

// The templates' own scripts run, with the real dlbench: their flags exist, their
// files appear, and the gate's code is the job's.
func TestTemplates(t *testing.T) {
	if testing.Short() {
		t.Skip("runs suites")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash to run the templates with")
	}
	systems := map[string]func(*testing.T, string) job{"github": githubJob, "gitlab": gitlabJob, "jenkins": jenkinsJob}
	for _, tc := range []struct {
		system, job string
		head        string // worker of the head commit
		rounds      int
		env         map[string]string
		code        int
		says        string // in the JSON
	}{
		// The same code on both sides: quiet, however noisy the machine.
		{"github", "library", "fake:scripted=4ms", 16, map[string]string{"BACKEND": "eager"}, 0, `"exit": 0`},
		// A head that crashes.
		{"gitlab", "library", "fake:sigkill-in-measure", 2, map[string]string{"BACKEND": "eager"}, 4, `"verdict": "missing"`},
		{"jenkins", "library", "fake:sigkill-in-measure", 2, map[string]string{"BACKEND": "eager"}, 4, `"verdict": "missing"`},
		// Too few rounds for a verdict: no pass.
		{"github", "framework", "", 2, map[string]string{"BASE": "eager", "HEAD": "gorgonia"}, 3, "no verdict is possible"},
		{"gitlab", "framework", "", 2, map[string]string{"BASE": "eager", "HEAD": "gorgonia"}, 3, "no verdict is possible"},
		{"jenkins", "framework", "", 2, map[string]string{"BASE": "eager", "HEAD": "gorgonia"}, 3, "no verdict is possible"},
	} {
		t.Run(tc.system+" "+tc.job, func(t *testing.T) {
			w := newWorkshop(t, tiny("eager, gorgonia", tc.rounds), "fake:scripted=4ms", tc.head)
			j := systems[tc.system](t, tc.job)
			for k, v := range tc.env {
				if j.env[k] == "" {
					t.Errorf("the template sets no %s", k)
				}
				j.env[k] = v
			}
			code, printed := w.run(t, j)
			if code != tc.code {
				t.Errorf("code %d, want %d:\n%s", code, tc.code, printed)
			}
			for _, name := range j.files {
				info, err := os.Stat(filepath.Join(w.workspace, name))
				if err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", name, err)
				}
				if strings.HasSuffix(name, ".json") {
					if text, _ := os.ReadFile(filepath.Join(w.workspace, name)); !strings.Contains(string(text), tc.says) {
						t.Errorf("%s does not say %q:\n%s", name, tc.says, text)
					}
				}
			}
			w.commented(t, tc.system, tc.job)
		})
	}
}

// commented checks how the comment was made: over an earlier one of the same gate,
// or anew.
func (w workshop) commented(t *testing.T, system, job string) {
	t.Helper()
	log, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"github library":   "gh api --method PATCH repos/o/r/issues/comments/4711 -F body=@gate.md",
		"github framework": "gh api --method POST repos/o/r/issues/7/comments -F body=@gate.md",
		"gitlab library":   "--request PUT --header PRIVATE-TOKEN: token --data-urlencode body@gate.md https://gitlab.example/api/v4/projects/1/merge_requests/7/notes/4711",
		"gitlab framework": "--request POST --header PRIVATE-TOKEN: token --data-urlencode body@gate.md https://gitlab.example/api/v4/projects/1/merge_requests/7/notes",
	}[system+" "+job]
	if !strings.Contains(string(log), want) {
		t.Errorf("no %q among\n%s", want, log)
	}
	if job == "library" && !strings.Contains(string(log), "go mod edit -replace gorgonia.org/gorgonia=") {
		t.Errorf("the library is not replaced:\n%s", log)
	}
}

// What users copy is valid as it is.
func TestTemplateFiles(t *testing.T) {
	folder := filepath.Join("..", "..", "ci", "templates")
	if out := dlbench(t, "plan", "--suite", filepath.Join(folder, "suite.yaml"), "--backend", "gorgonia"); out.code != 0 {
		t.Errorf("suite.yaml: %s", out.stderr)
	}
	readme := template(t, "README.md")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != "README.md" && !strings.Contains(readme, "("+name+")") {
			t.Errorf("README.md does not name %s", name)
		}
	}
}
