# SPDX-License-Identifier: GPL-2.0
#
# The results of scripts/bench as a table or, with -v json=1, as JSON. Input: "column NAME",
# then lines "CASE NUMBER EXITS DESCRIPTION" of that column; EXITS is - when unknown. Other
# lines, which programs may say besides, are passed over. -v columns: their order.

$1 == "column" && NF == 2 {
	column = $2
	next
}

column != "" && NF >= 4 && $2 ~ /^[0-9.]+$/ && ($3 == "-" || $3 ~ /^[0-9.]+$/) {
	if (!($1 in what)) {
		order[++cases] = $1
		what[$1] = $0
		sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, "", what[$1])
	}
	value[$1, column] = $2
	exits[$1, column] = $3
}

function cell(name, column,    text) {
	if (!((name, column) in value))
		return "-"
	text = value[name, column]
	if (exits[name, column] != "-")
		text = text " (" exits[name, column] ")"
	return text
}

function print_table(    i, k, line) {
	line = sprintf("%-16s", "")
	for (k = 1; k <= number; k++)
		line = line sprintf(" %18s", name[k])
	print line
	for (i = 1; i <= cases; i++) {
		line = sprintf("%-16s", order[i])
		for (k = 1; k <= number; k++)
			line = line sprintf(" %18s", cell(order[i], name[k]))
		print line "  " what[order[i]]
	}
}

# An object of the columns that have a number in @of.
function json_object(of, i,    k, text) {
	text = ""
	for (k = 1; k <= number; k++) {
		if (!((order[i], name[k]) in of) || of[order[i], name[k]] == "-")
			continue
		text = text (text == "" ? "" : ", ") "\"" name[k] "\": " of[order[i], name[k]]
	}
	return "{ " text " }"
}

function print_json(    i) {
	print "["
	for (i = 1; i <= cases; i++) {
		printf "  { \"case\": \"%s\", \"what\": \"%s\",\n", order[i], what[order[i]]
		printf "    \"value\": %s,\n", json_object(value, i)
		printf "    \"exits\": %s }%s\n", json_object(exits, i), i < cases ? "," : ""
	}
	print "]"
}

END {
	number = split(columns, name, ",")
	if (json)
		print_json()
	else
		print_table()
}
