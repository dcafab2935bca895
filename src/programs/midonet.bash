# Completion of `midonet` for bash: its sub-commands and flags, and the names and ids that the API knows. Install as
# /usr/share/bash-completion/completions/midonet, or: source <(midonet completion bash)
_midonet() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -F _midonet midonet
