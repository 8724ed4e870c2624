/* versions.c -- asked at run time: the shared library may be another than the one built against. */
#include "net/versions.h"

#include <curl/curl.h>

const char *sl_version_curl(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
