/*
 * test_net_http.c -- where a request of ours may go: what is refused is refused by the address that
 * would be connected to.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "../support/test.h"
#include "net/http_exchange.h"

static const char *refused(const char *text, bool plain_http_anywhere)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return sl_http_address_refused((struct sockaddr *)&four, plain_http_anywhere);
    SL_PRE(inet_pton(AF_INET6, text, &six.sin6_addr) == 1);
    return sl_http_address_refused((struct sockaddr *)&six, plain_http_anywhere);
}

TEST(addresses_nobody_serves_vectors_from_are_refused)
{
    static const char *const never[] = {"169.254.169.254",
                                        "169.254.0.1",
                                        "0.0.0.0",
                                        "0.1.2.3",
                                        "224.0.0.1",
                                        "239.255.255.250",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "fe80::1",
                                        "febf::1",
                                        "::",
                                        "ff02::1",
                                        "fd00:ec2::254",
                                        "::ffff:169.254.169.254",
                                        "::169.254.169.254",
                                        "64:ff9b::169.254.169.254",
                                        "::ffff:0.0.0.0"};

    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        CHECK_THAT(refused(never[i], true) != NULL, "%s with TLS", never[i]);
        CHECK_THAT(refused(never[i], false) != NULL, "%s without", never[i]);
    }
}

TEST(without_tls_only_this_machine_is_spoken_to)
{
    static const char *const own[] = {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"};
    static const char *const others[] = {"10.0.0.1",    "192.168.1.7",  "172.16.0.1",     "8.8.8.8",
                                         "2001:db8::1", "fd12:3456::1", "::ffff:10.0.0.1"};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        CHECK_THAT(refused(own[i], false) == NULL, "%s", own[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CHECK_THAT(refused(others[i], true) == NULL, "%s with TLS", others[i]);
        CHECK_THAT(refused(others[i], false) != NULL, "%s without", others[i]);
    }
}
