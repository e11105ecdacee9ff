package secret

// Part is a piece of a text that is put together: what a pack's author wrote, or data from elsewhere.
type Part struct {
	Text string
	Data bool
}

// Escape puts a text together in which only what the author wrote can be a reference: where data would make one, or
// would be read as an escape, another `$` is put before it. Resolving the text gives the data back as it was.
func Escape(parts ...Part) string {
	var text []byte
	var data []bool
	for _, p := range parts {
		for i := range len(p.Text) {
			text, data = append(text, p.Text[i]), append(data, p.Data)
		}
	}
	var out []byte
	for i, c := range text {
		if c == '$' && i+1 < len(text) && text[i+1] == '{' && (data[i] || data[i+1]) &&
			(i > 0 && text[i-1] == '$' || meansSecret(string(text[i+2:min(len(text), i+2+longestIntent)]))) {
			out = append(out, '$')
		}
		out = append(out, c)
	}
	return string(out)
}

// longestIntent is how far it is looked for the word that makes a reference, with blanks before it.
const longestIntent = 1 << 10
