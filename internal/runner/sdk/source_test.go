package sdk_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The oldest versions are not on every machine; what newer ones know of them is.
func TestTheSourcesAreOfTheOldestVersions(t *testing.T) {
	t.Parallel()
	check := exec.Command(python.interpreter(t), "-c", `
import ast, sys
nodes = list(ast.walk(ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))))
names = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
print(*sorted(names))
`, "files/attune_sensor.py")
	out, err := check.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	require.Equal(t, "__future__ _thread collections.abc datetime faulthandler importlib.machinery importlib.util json os sys time typing\n",
		string(out), "modules that Python 3.9 has, and that load quickly")

	source := readFile(t, "files/attune_sensor.mjs")
	for _, newer := range []string{"import.meta.dirname", "import.meta.filename", "withResolvers", "fromAsync", "getBuiltinModule", ".toSorted(", ".toReversed(", "groupBy", "Symbol.dispose"} {
		require.NotContains(t, source, newer, "Node.js 18 does not have it")
	}
	for _, match := range regexp.MustCompile(`from "([^"]+)"|import\("([^"]+)"\)`).FindAllStringSubmatch(source, -1) {
		require.True(t, strings.HasPrefix(match[1]+match[2], "node:"), match[0])
	}
}

// The types are those of the code: what a context has, and what the module exports.
func TestTheTypesAreTheCodes(t *testing.T) {
	t.Parallel()
	types := readFile(t, "files/attune_sensor.d.mts")
	dir := node.code(t, `
export function* poll(ctx) {
  yield { names: Object.keys(ctx).concat(Object.keys(Object.getPrototypeOf(ctx)), "cursor"), limits: Object.keys(ctx.limits) };
}
`)
	payload := node.serve(t, dir).poll(request(nil))[0]["payload"].(object)
	require.ElementsMatch(t, members(t, types, "Context"), payload["names"])
	require.ElementsMatch(t, members(t, types, "Limits"), payload["limits"])

	script := `const sdk = await import(process.env.SDK); const event = new sdk.Event({});
		const result = await sdk.runOnce(() => {});
		console.log([Object.keys(sdk), Object.keys(event), Object.getOwnPropertyNames(result)].map((names) => names.join(" ")).join("\n"))`
	cmd := exec.Command("node", "--input-type=module", "-e", script)
	cmd.Env = append(os.Environ(), "SDK="+node.install(t))
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	lines := strings.Split(string(out), "\n")
	require.Equal(t, "Event runOnce", lines[0])
	require.Subset(t, members(t, types, "Beside"), strings.Fields(lines[1])[1:])
	require.ElementsMatch(t, members(t, types, "Result"), strings.Fields(lines[2]))
}

// members returns the names in an interface of the types.
func members(t *testing.T, types, name string) []string {
	t.Helper()
	body := regexp.MustCompile(`(?s)export interface ` + name + `(?:<[^\n]*>)? \{\n(.*?)\n\}`).FindStringSubmatch(types)
	require.NotNil(t, body, name)
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^  (?:readonly )?(\w+)\??[(:]`).FindAllStringSubmatch(body[1], -1) {
		names = append(names, match[1])
	}
	require.NotEmpty(t, names)
	return slices.Compact(names)
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}
