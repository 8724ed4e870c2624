/* kafka_login.h -- between the net/kafka_*.c files only: how clients prove who they are, and check who the broker is. */
#ifndef SLUICE_KAFKA_LOGIN_H
#define SLUICE_KAFKA_LOGIN_H

#include "net/kafka_internal.h"

/* The property whose credential is a token file. */
#define KAFKA_TOKEN_PROPERTY "sasl.oauthbearer.config"

/* Callbacks of a client to be: the broker's certificate, a token when one is needed. */
void kafka_login_configure(rd_kafka_conf_t *conf, bool has_token);

/* From here on the client's credentials follow sl_kafka_login_renew(); to be closed before it is destroyed. */
void kafka_login_open(rd_kafka_t *rk);
void kafka_login_close(rd_kafka_t *rk);

#endif
