/* page.h -- the status page: one HTML text that asks /status.json every two seconds. */
#ifndef SLUICE_PAGE_H
#define SLUICE_PAGE_H

#include <sluice/view.h>

/* What the page may do: its own style and script, and requests to where it came from. */
#define SL_STATUS_PAGE_POLICY                                                                      \
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "                  \
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/* The page; static, the same for ever. */
struct sl_view sl_status_page(void);

#endif
