# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of loky(1) for bash.

_loky_tasks ()
{
  loky list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_loky ()
{
  local current=${COMP_WORDS[COMP_CWORD]}
  local previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  local options words i

  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(
      compgen -W 'list describe run map new-plugin version --help --version' -- "$current")
    return
  fi

  case $previous in
    --plugin-path | --directory)
      mapfile -t COMPREPLY < <(compgen -d -- "$current")
      return
      ;;
    --progress)
      mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current")
      return
      ;;
    --timeout | --retries | --memory-limit | --template | --jobs | -j)
      return
      ;;
  esac

  case $command in
    list | describe) options='--help --plugin-path' ;;
    run) options='--help --plugin-path --partial --timeout --retries --memory-limit' ;;
    map) options='--help --plugin-path --jobs --null --print0 --ordered --unordered --template
                  --timeout --retries --memory-limit --keep-going --fail-fast --progress --stats' ;;
    new-plugin) options='--help --directory' ;;
    *) options='--help' ;;
  esac

  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi

  # The first word that is neither an option nor the value of one is a task.
  words=0
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --plugin-path | --timeout | --retries | --memory-limit | --memory-limit | --template | --progress | --jobs | -j) ((i++)) ;;
      -*) ;;
      *) ((words++)) ;;
    esac
  done
  case $command in
    describe | run | map)
      if ((words == 0)); then
        mapfile -t COMPREPLY < <(compgen -W "$(_loky_tasks)" -- "$current")
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      ;;
  esac
}

complete -o filenames -F _loky loky
