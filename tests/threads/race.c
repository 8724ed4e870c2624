/* race.c -- two threads and a number that nobody guards: the control of the ThreadSanitizer tests, which must find it. */
#include <stdio.h>
#include <threads.h>

static int number;

static int count(void *argument)
{
    for (int i = 0; i < 1000; i++)
        number++;
    return argument != NULL;
}

int main(void)
{
    thrd_t threads[2];

    for (int i = 0; i < 2; i++)
        if (thrd_create(&threads[i], count, NULL) != thrd_success)
            return 2;
    for (int i = 0; i < 2; i++)
        (void)thrd_join(threads[i], NULL);
    return printf("%d\n", number) > 0 ? 0 : 2;
}
