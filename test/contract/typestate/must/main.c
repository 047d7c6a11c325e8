/* Runs what must compile. */

int account_test(void);
int cart_test(void);
int subscription_test(void);

int main(void)
{
    int failed = account_test();

    if (failed == 0)
        failed = cart_test();
    return failed == 0 ? subscription_test() : failed;
}
