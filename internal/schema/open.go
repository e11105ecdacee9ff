package schema

import (
	"errors"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// CheckOpen is Check for a document with strings whose text is not known yet: open says, by its path, which string is
// one. Whatever a schema demands of such a text counts as fulfilled; that it is a string does not.
func (s *Schema) CheckOpen(name string, raw []byte, open func(path []string) bool) error {
	doc, err := decode(raw)
	if err != nil {
		return err
	}
	err = s.compiled.Validate(doc)
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	p := pruner{name: name, open: open}
	if p.prune(invalid) {
		return nil
	}
	return collect(name, nil, invalid)
}

// pruner takes out of a validator's tree of causes what may be no violation at all.
type pruner struct {
	name string
	open func(path []string) bool
}

// prune says whether nothing is left of an error; what may be fulfilled is taken out of its causes.
func (p pruner) prune(err *jsonschema.ValidationError) bool {
	if len(err.Causes) == 0 {
		_, mismatch := err.ErrorKind.(*kind.Type)
		return !mismatch && p.open(slices.Concat([]string{p.name}, err.InstanceLocation))
	}
	all := len(err.Causes)
	err.Causes = slices.DeleteFunc(err.Causes, p.prune)
	switch err.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Contains, *kind.MinContains:
		return len(err.Causes) < all // one branch, or one element, that may fit is enough
	}
	return len(err.Causes) == 0
}
