/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * life.h - requests of exportsctl about the end of a medium's life (life.c).
 */

#include "exportsd/control/requests.h"
#include "exportsd/base/parts.h"

/* connection->path is the medium's. */
void eject_start(struct connection *connection, const struct proto_message *message);
void eject_forget(struct eject *eject);
