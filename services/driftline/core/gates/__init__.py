"""May a challenger replace what is deployed?"""
