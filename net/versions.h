/* versions.h -- the HTTP library in use, as it calls itself. librdkafka's is in kafka_conf.h. */
#ifndef SLUICE_VERSIONS_H
#define SLUICE_VERSIONS_H

/* "7.88.1". Static. */
const char *sl_version_curl(void);

#endif
