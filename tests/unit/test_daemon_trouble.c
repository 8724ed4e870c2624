/* test_daemon_trouble.c -- troubles: told once at each end, shown together, young ones apart. */
#include "../support/test.h"

#include "daemon/trouble.h"

TEST(a_trouble_is_news_once)
{
    struct sl_troubles troubles;

    sl_troubles_init(&troubles);
    CHECK(!sl_trouble_end(&troubles, SL_TROUBLE_GROUP, NULL));
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_GROUP, "g", 10, "no entry"));
    CHECK(!sl_trouble_begin(&troubles, SL_TROUBLE_GROUP, "g", 20, "no entry"));
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_GROUP, "g", 30, "still none"));
    CHECK(sl_trouble_end(&troubles, SL_TROUBLE_GROUP, NULL));
    CHECK(!sl_trouble_end(&troubles, SL_TROUBLE_GROUP, NULL));
    sl_troubles_fini(&troubles);
}

/* What works with one topic says nothing of another. */
TEST(it_ends_with_its_own_subject)
{
    struct sl_troubles troubles;

    sl_troubles_init(&troubles);
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_DOCUMENTS, "docs", 0, "denied"));
    CHECK(!sl_trouble_end(&troubles, SL_TROUBLE_DOCUMENTS, "docs2"));
    CHECK(!sl_trouble_end(&troubles, SL_TROUBLE_DOCUMENTS, "doc"));
    CHECK(sl_trouble_end(&troubles, SL_TROUBLE_DOCUMENTS, "docs"));
    sl_troubles_fini(&troubles);
}

TEST(they_are_shown_together_by_age_and_kind)
{
    struct sl_troubles troubles;
    char text[40] = "as it was";
    char little[12];

    sl_troubles_init(&troubles);
    CHECK(!sl_troubles_show(&troubles, SL_TROUBLE_COUNT, 100, 0, text, sizeof text));
    CHECK(strcmp(text, "as it was") == 0);
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_LETTERS, "", 0, "letters"));
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_LOGIN, "", 90, "login"));
    CHECK(sl_trouble_begin(&troubles, SL_TROUBLE_LOGIN, "", 99, "login, again"));
    CHECK(!sl_troubles_show(&troubles, SL_TROUBLE_LETTERS, 100, 11, text, sizeof text));
    CHECK(sl_troubles_show(&troubles, SL_TROUBLE_LETTERS, 100, 10, text, sizeof text));
    CHECK(strcmp(text, "login, again") == 0);
    CHECK(sl_troubles_show(&troubles, SL_TROUBLE_COUNT, 100, 0, text, sizeof text));
    CHECK(strcmp(text, "login, again; letters") == 0);
    CHECK(sl_troubles_show(&troubles, SL_TROUBLE_COUNT, 100, 0, little, sizeof little));
    CHECK(strcmp(little, "login, agai") == 0);
    sl_troubles_fini(&troubles);
}
