# SPDX-License-Identifier: GPL-2.0
#
# Check that the input is one JSON document, strictly, and print the value at "want":
# members and indexes joined by dots, "." alone prints nothing. Exit status 1 when the
# document is broken, 2 when it has no such value. For busybox's awk too.

function die(what)
{
	printf "json: %s at '%s'\n", what, substr(text, 1, 20) > "/dev/stderr"
	broken = 1
	exit 1
}

function blanks()
{
	sub(/^[ \t\r\n]+/, "", text)
}

function eat(token)
{
	if (substr(text, 1, length(token)) != token)
		die("no '" token "'")
	text = substr(text, length(token) + 1)
	blanks()
}

function cut(n,   token)
{
	token = substr(text, 1, n)
	text = substr(text, n + 1)
	return token
}

function string(   token)
{
	if (!match(text, /^"([^"\\]|\\["\\\/bfnrt]|\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])*"/))
		die("bad string")
	token = cut(RLENGTH)
	if (token ~ /[\001-\037]/)
		die("raw control character")
	blanks()
	return substr(token, 2, length(token) - 2)
}

function object(path,   name, seen)
{
	eat("{")
	if (substr(text, 1, 1) == "}") {
		eat("}")
		return
	}
	for (;;) {
		name = path string()
		if (name in seen)
			die("member '" name "' twice")
		seen[name] = 1
		eat(":")
		value(name)
		if (substr(text, 1, 1) != ",")
			break
		eat(",")
	}
	eat("}")
}

function array(path,   i)
{
	eat("[")
	if (substr(text, 1, 1) == "]") {
		eat("]")
		return
	}
	for (i = 0; ; i++) {
		value(path i)
		if (substr(text, 1, 1) != ",")
			break
		eat(",")
	}
	eat("]")
}

function scalar(   token)
{
	if (!match(text, /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)/))
		die("no value")
	token = cut(RLENGTH)
	blanks()
	return token
}

function value(path,   first, token)
{
	first = substr(text, 1, 1)
	if (first == "{") {
		object(path ".")
		return
	}
	if (first == "[") {
		array(path ".")
		return
	}
	token = first == "\"" ? string() : scalar()
	if ("." want == path) {
		print token
		found = 1
	}
}

{ text = text $0 "\n" }

END {
	if (broken)
		exit 1
	blanks()
	value("")
	if (text != "")
		die("more than one value")
	exit (want != "." && !found) ? 2 : 0
}
