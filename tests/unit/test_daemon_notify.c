/* test_daemon_notify.c -- what reaches the manager's socket; whose silence holds back the watchdog. */
#include "test.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "daemon/notify.h"

static uint64_t clock_now = 1000;
static char message[2048];

static uint64_t fake_clock(void)
{
    return clock_now;
}

static int manager_open(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/n", test_directory());
    CHECK(manager >= 0 && bind(manager, (struct sockaddr *)&address, sizeof address) == 0);
    (void)setenv("NOTIFY_SOCKET", address.sun_path, 1);
    return manager;
}

static const char *manager_read(int manager)
{
    ssize_t size = recv(manager, message, sizeof message - 1, 0);

    message[size > 0 ? size : 0] = '\0';
    return message;
}

static void manager_close(int manager)
{
    (void)unsetenv("NOTIFY_SOCKET");
    (void)close(manager);
}

TEST(messages_have_the_managers_words)
{
    int manager = manager_open();

    sl_notify_ready("up %d", 1);
    CHECK(strcmp(manager_read(manager), "READY=1\nSTATUS=up 1") == 0);
    sl_notify_status("a\nREADY=1");
    CHECK(strcmp(manager_read(manager), "STATUS=a?READY=1") == 0);
    sl_notify_reloading("again");
    CHECK(strncmp(manager_read(manager), "RELOADING=1\nMONOTONIC_USEC=", 27) == 0);
    CHECK(strstr(message, "\nSTATUS=again") != NULL);
    sl_notify_stopping("bye");
    CHECK(strcmp(manager_read(manager), "STOPPING=1\nSTATUS=bye") == 0);
    sl_notify_extend(1500);
    CHECK(strcmp(manager_read(manager), "EXTEND_TIMEOUT_USEC=1500000") == 0);
    sl_notify_errno(28, "full");
    CHECK(strcmp(manager_read(manager), "ERRNO=28\nSTATUS=full") == 0);
    manager_close(manager);
}

TEST(without_a_manager_nothing_happens)
{
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    sl_notify_ready("up");
    sl_notify_stopping("bye");
    CHECK(sl_watchdog_interval_ms() == 0);
}

TEST(the_watchdog_is_pinged_at_a_third)
{
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    CHECK(sl_watchdog_interval_ms() == 10000);
    (void)setenv("WATCHDOG_PID", "1", 1);
    CHECK(sl_watchdog_interval_ms() == 0);
    (void)unsetenv("WATCHDOG_PID");
    (void)unsetenv("WATCHDOG_USEC");
}

TEST(one_stuck_loop_holds_back_the_ping)
{
    int manager = manager_open();
    struct sl_heartbeat *feed, *worker, *other;
    const char *loop;
    uint64_t age_ms;

    sl_metrics_reset();
    sl_heartbeat_clock(fake_clock);
    feed = sl_heartbeat_open("feed", 2000);
    worker = sl_heartbeat_open("worker", 5000);
    other = sl_heartbeat_open("worker", 5000);
    CHECK(sl_watchdog_ping());
    CHECK(strcmp(manager_read(manager), "WATCHDOG=1") == 0);
    clock_now += 2000;
    CHECK(sl_watchdog_ping() && manager_read(manager)[0] == 'W');
    clock_now += 1;
    CHECK(!sl_watchdog_ping());
    CHECK(manager_read(manager)[0] == '\0');
    CHECK(!sl_heartbeats_fresh(&loop, &age_ms) && strcmp(loop, "feed") == 0 && age_ms == 2001);
    sl_heartbeat_beat(feed);
    CHECK(sl_watchdog_ping() && manager_read(manager)[0] == 'W');
    clock_now += 3500;
    sl_heartbeat_beat(feed);
    sl_heartbeat_beat(other);
    CHECK(!sl_heartbeats_fresh(&loop, NULL) && strcmp(loop, "worker") == 0);
    CHECK(sl_metric_value(SL_METRIC_LOOP_STALL, "worker", NULL) == 5.501);
    sl_heartbeat_idle(worker);
    clock_now += 1000;
    CHECK(sl_heartbeats_fresh(NULL, NULL));
    CHECK(sl_metric_value(SL_METRIC_WATCHDOG_PINGS, NULL, NULL) == 3);
    feed = sl_heartbeat_close(feed);
    worker = sl_heartbeat_close(worker);
    clock_now += 100000;
    CHECK(!sl_heartbeats_fresh(NULL, NULL));
    other = sl_heartbeat_close(other);
    CHECK(sl_heartbeats_fresh(&loop, &age_ms) && loop[0] == '\0');
    CHECK(feed == NULL && worker == NULL && other == NULL);
    sl_heartbeat_clock(NULL);
    manager_close(manager);
}

TEST(null_heartbeats_are_fine)
{
    sl_heartbeat_beat(NULL);
    sl_heartbeat_idle(NULL);
    CHECK(sl_heartbeat_close(NULL) == NULL);
}

TEST(all_slots_can_be_used_again)
{
    struct sl_heartbeat *all[SL_HEARTBEATS_MAX];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SL_HEARTBEATS_MAX; i++)
            all[i] = sl_heartbeat_open("worker", 1000);
        for (size_t i = 0; i < SL_HEARTBEATS_MAX; i++)
            all[i] = sl_heartbeat_close(all[i]);
    }
    CHECK(sl_heartbeats_fresh(NULL, NULL));
}
