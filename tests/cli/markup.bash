# SPDX-License-Identifier: MIT
# What the tests of pictures and pages share.

# well_formed FILE: tags are balanced and nested, every attribute is quoted, and no text holds a '<' or a bare '&'.
# What stands between <![CDATA[ and ]]> is text.
well_formed() {
    awk '
        { text = text $0 "\n" }
        END {
            while ((begin = index(text, "<![CDATA[")) > 0) {
                rest = substr(text, begin)
                if ((end = index(rest, "]]>")) == 0) bad("CDATA without an end")
                text = substr(text, 1, begin - 1) substr(rest, end + 3)
            }
            sub(/^(<\?xml [^>]*\?>|<!DOCTYPE [a-z]+>)\n/, "", text)
            gsub(/<!--[^<>]*-->/, "", text)
            while (match(text, /<[^>]*>/)) {
                between = substr(text, 1, RSTART - 1)
                tag = substr(text, RSTART, RLENGTH)
                text = substr(text, RSTART + RLENGTH)
                gsub(/&(lt|gt|amp|quot);/, "", between)
                if (between ~ /[<&]/) bad("text " between)
                if (tag ~ /^<\//) {
                    if (depth == 0 || tag != "</" open[depth] ">") bad("end tag " tag)
                    depth--
                    continue
                }
                if (tag !~ /^<[a-z][a-z0-9]*([ \n]+[A-Za-z-]+="[^"<&]*")* ?\/?>$/) bad("tag " tag)
                if (depth == 0 && ++roots > 1) bad("second root " tag)
                if (tag !~ /\/>$/) { name = tag; gsub(/^<|[ \n>].*$/, "", name); open[++depth] = name }
            }
            if (text !~ /^\n*$/ || depth != 0 || roots != 1) bad("end")
        }
        function bad(what) { print "not well-formed: " what; exit 1 }' "$1"
}
