/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli-common.h"

G_BEGIN_DECLS

/* Each takes the command line from the command's own name on, and returns an exit status. */
int command_list (int argc, char **argv);
int command_describe (int argc, char **argv);
int command_run (int argc, char **argv);
int command_map (int argc, char **argv);
int command_new_plugin (int argc, char **argv);
int command_version (int argc, char **argv);

G_END_DECLS
