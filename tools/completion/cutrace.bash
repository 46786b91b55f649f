# SPDX-License-Identifier: Apache-2.0
# bash completion for cutrace; the first part is made from tools/commands.def.
@bash@

# Words of $1 that begin as $cur, options that take a value without a space behind them.
_cutrace_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
	return 0
}

_cutrace_directories() {
	mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	compopt -o filenames 2>/dev/null
	return 0
}

# A value as the table calls it; files, which are the default, for what is not known.
_cutrace_value() {
	case $1 in
	@DIR*) _cutrace_directories ;;
	@*) ;;
	-) compopt +o default +o bashdefault 2>/dev/null ;;
	*) _cutrace_words "$1" ;;
	esac
}

# The operand number $1, from 0.
_cutrace_operand() {
	local -a places
	local place

	read -ra places <<<"${operands//[\[\]]/}"
	[[ ${#places[@]} -gt 0 ]] || return 0
	place=${places[$1]-}
	[[ -n $place || ${places[-1]} != *... ]] || place=${places[-1]}
	case $place in
	*\|*) _cutrace_words "${place//|/ }" ;;
	'') ;;
	*) _cutrace_directories ;;
	esac
}

_cutrace() {
	local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} first=2
	local operands options values optional word at count=0 ended=

	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 && $cur != -* ]]; then
		_cutrace_words "$_cutrace_commands"
		return
	fi
	[[ $command == -* ]] && command=run first=1 # `run` need not be said
	[[ $command == help && $COMP_CWORD -eq 2 ]] && _cutrace_words "$_cutrace_commands" && return
	_cutrace_command "$command" || return 0
	[[ $first -eq 1 ]] && options+=" --version"

	# "=" is a word of its own here: --fix = free
	for ((at = first; at < COMP_CWORD; at++)); do
		word=${COMP_WORDS[at]}
		if [[ -z $ended && $word == -- ]]; then
			ended=1
		elif [[ -z $ended && $word == -?* ]]; then
			_cutrace_values "$command $word" || continue
			if [[ ${COMP_WORDS[at + 1]} == = ]]; then
				at=$((at + 1))
			elif [[ -n $optional ]]; then
				continue
			fi
			at=$((at + 1))
			if [[ $at -ge $COMP_CWORD ]]; then
				[[ $cur == = ]] && cur=
				_cutrace_value "$values"
				return
			fi
		elif [[ $operands == PROGRAM* ]]; then
			declare -F _command_offset >/dev/null && _command_offset "$at"
			return
		else
			count=$((count + 1))
		fi
	done
	if [[ -z $ended && $cur == -* ]]; then
		_cutrace_words "$options"
	elif [[ $operands == PROGRAM* ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	else
		_cutrace_operand "$count"
	fi
}

complete -o bashdefault -o default -F _cutrace cutrace
