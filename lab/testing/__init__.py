"""What tests of the lab, and tests of a program that runs in the lab, have in common: labs and
parts of a lab that end with their test, free ports, Alibaba's own clients, sample models.
"""
